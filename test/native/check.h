#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

/// A test program's cases and checks. Each TEST runs on its own; a failed check is printed and the case counts as failed;
/// the program prints "N passed, N failed" and exits non-zero on a failure. An argument runs only cases that contain it.
namespace check {

struct Case {
  std::string name;
  std::function<void()> body;
};
inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
inline bool& has_failed() {
  static bool failed = false;
  return failed;
}
inline bool add(const char* name, std::function<void()> body) {
  cases().push_back({name, std::move(body)});
  return true;
}
inline void fail(const char* file, int line, const std::string& what) {
  has_failed() = true;
  std::fprintf(stderr, "  %s:%d: %s\n", file, line, what.c_str());
}

}  // namespace check

#define TEST(name)                                                 \
  static void test_##name();                                       \
  static const bool added_##name = check::add(#name, test_##name); \
  static void test_##name()
#define CHECK(condition)                                           \
  do {                                                             \
    if (!(condition)) check::fail(__FILE__, __LINE__, #condition); \
  } while (false)
#define CHECK_EQ(a, b)                                                                     \
  do {                                                                                     \
    const auto check_a = (a);                                                              \
    const auto check_b = (b);                                                              \
    if (!(check_a == check_b)) check::fail(__FILE__, __LINE__, std::string(#a " != " #b)); \
  } while (false)
#define CHECK_NEAR(a, b, tolerance)                                                                                  \
  do {                                                                                                               \
    const double check_a = (a), check_b = (b);                                                                       \
    if (!(std::fabs(check_a - check_b) <= (tolerance)))                                                              \
      check::fail(__FILE__, __LINE__, #a " = " + std::to_string(check_a) + ", " #b " = " + std::to_string(check_b)); \
  } while (false)
#define CHECK_THROWS(expression, error_code)                                                       \
  do {                                                                                             \
    bool check_thrown = false;                                                                     \
    try {                                                                                          \
      (void)(expression);                                                                          \
    } catch (const sensorium::Error& error) {                                                      \
      check_thrown = error.code() == (error_code);                                                 \
    }                                                                                              \
    if (!check_thrown) check::fail(__FILE__, __LINE__, #expression " did not throw " #error_code); \
  } while (false)

int main(int argc, char** argv) {
  int num_passed = 0, num_failed = 0;
  for (const auto& test : check::cases()) {
    if (argc > 1 && test.name.find(argv[1]) == std::string::npos) continue;
    check::has_failed() = false;
    try {
      test.body();
    } catch (const std::exception& error) {
      check::fail(__FILE__, __LINE__, std::string("exception: ") + error.what());
    }
    std::printf("%s %s\n", check::has_failed() ? "FAIL" : "ok  ", test.name.c_str());
    (check::has_failed() ? num_failed : num_passed)++;
  }
  std::printf("%d passed, %d failed\n", num_passed, num_failed);
  return num_failed == 0 ? 0 : 1;
}
