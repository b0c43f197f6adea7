#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "core/json.h"

using namespace sensorium;

namespace {

bool is_accepted(std::string_view text) {
  try {
    (void)Json::parse(text);
    return true;
  } catch (const Error& error) {
    CHECK_EQ(error.code(), ErrorCode::kInvalidArgument);
    return false;
  }
}

}  // namespace

TEST(values_of_every_kind) {
  const Json json = Json::parse(R"( {"a": [1, -2.5e1, true, false, null, "x\"\u00e9\ud83d\ude00\n"], "b": {}} )");
  const auto& array = json.find("a")->as_array();
  CHECK_EQ(array.size(), size_t{6});
  CHECK(array[0].is_integer());
  CHECK_EQ(array[0].as_int(), 1);
  CHECK_EQ(array[1].as_double(), -25.0);
  CHECK(!array[1].is_integer() && array[1].is_number());
  CHECK(array[2].as_bool());
  CHECK(!array[3].as_bool());
  CHECK(array[4].is_null());
  CHECK_EQ(array[5].as_string(), "x\"\xc3\xa9\xf0\x9f\x98\x80\n");
  CHECK(json.find("b")->as_object().empty());
  CHECK(json.find("c") == nullptr);
  CHECK(array[0].find("a") == nullptr);
}

TEST(numbers_keep_their_kind) {
  CHECK_EQ(Json::parse("9223372036854775807").as_int(), INT64_MAX);
  CHECK_EQ(Json::parse("-9223372036854775808").as_int(), INT64_MIN);
  CHECK(!Json::parse("9223372036854775808").is_integer());
  CHECK_EQ(Json::parse("1e3").as_double(), 1000.0);
  CHECK_EQ(Json::parse("0.1").as_double(), 0.1);
  CHECK_EQ(Json::parse("-0").as_int(), 0);
  CHECK_THROWS(Json::parse("1.0").as_int(), ErrorCode::kInvalidArgument);
  CHECK_EQ(Json::parse("7").as_double(), 7.0);
}

TEST(members_with_fallbacks) {
  const Json json = Json::parse(R"({"n": 3, "x": 0.5, "flag": true, "name": "clip", "none": null})");
  CHECK_EQ(json.get_int("n", 0), 3);
  CHECK_EQ(json.get_int("none", 7), 7);
  CHECK_EQ(json.get_int("absent", 8), 8);
  CHECK_EQ(json.get_double("x", 0), 0.5);
  CHECK_EQ(json.get_double("n", 0), 3.0);
  CHECK(json.get_bool("flag", false));
  CHECK_EQ(json.get_string("name", ""), "clip");
  CHECK_EQ(json.get_string("absent", "siglip"), "siglip");
  CHECK_THROWS(json.get_int("name", 0), ErrorCode::kInvalidArgument);
  CHECK_THROWS(json.get_string("n", ""), ErrorCode::kInvalidArgument);
  try {
    (void)json.get_bool("n", false);
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("\"n\"") != std::string::npos);
  }
}

TEST(wrong_kinds_throw) {
  const Json json = Json::parse("[]");
  CHECK_THROWS(json.as_bool(), ErrorCode::kInvalidArgument);
  CHECK_THROWS(json.as_int(), ErrorCode::kInvalidArgument);
  CHECK_THROWS(json.as_double(), ErrorCode::kInvalidArgument);
  CHECK_THROWS(json.as_string(), ErrorCode::kInvalidArgument);
  CHECK_THROWS(json.as_object(), ErrorCode::kInvalidArgument);
  CHECK_THROWS(Json::parse("{}").as_array(), ErrorCode::kInvalidArgument);
}

TEST(malformed_texts_are_refused) {
  const std::vector<std::string> texts = {"",
                                          " ",
                                          "{",
                                          "}",
                                          "[",
                                          "]",
                                          "[1,]",
                                          "[,1]",
                                          "[1 2]",
                                          "{\"a\"}",
                                          "{\"a\":}",
                                          "{\"a\":1,}",
                                          "{a:1}",
                                          "{'a':1}",
                                          "{1:1}",
                                          "{\"a\":1 \"b\":2}",
                                          "tru",
                                          "nul",
                                          "True",
                                          "NaN",
                                          "Infinity",
                                          "-",
                                          "+1",
                                          "01",
                                          "-01",
                                          "1.",
                                          ".5",
                                          "1e",
                                          "1e+",
                                          "0x10",
                                          "1 2",
                                          "\"abc",
                                          "\"\\x\"",
                                          "\"\\u12\"",
                                          "\"\\u12g4\"",
                                          "\"\\ud800\"",
                                          "\"\\udc00\"",
                                          "\"\\ud800\\u0041\"",
                                          "\"\t\"",
                                          "\"\n\"",
                                          "\"\\\"",
                                          "[1]x",
                                          "// c\n1",
                                          "1e999",
                                          "-1e999",
                                          "\xef\xbb\xbf{}"};
  for (const std::string& text : texts) {
    if (is_accepted(text)) check::fail(__FILE__, __LINE__, "accepted: " + text);
  }
  CHECK(!is_accepted(std::string("[1]\0", 4)));
  CHECK(!is_accepted(std::string("\0", 1)));
  CHECK(!is_accepted(std::string("\"\0\"", 3)));
  CHECK(!is_accepted(std::string("\"\\\0\"", 4)));
}

TEST(utf8_must_be_well_formed) {
  for (const char* good : {"\"\xc2\x80\"", "\"\xe0\xa0\x80\"", "\"\xed\x9f\xbf\"", "\"\xf4\x8f\xbf\xbf\""})
    CHECK(is_accepted(good));
  for (const char* bad : {"\"\x80\"", "\"\xc1\x80\"", "\"\xe0\x9f\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
                          "\"\xf5\x80\x80\x80\"", "\"\xe2\x82\"", "\"\xc3\"", "\"\xff\""}) {
    CHECK(!is_accepted(bad));
  }
}

TEST(duplicate_keys_are_refused) {
  CHECK(!is_accepted(R"({"a": 1, "b": 2, "a": 3})"));
  CHECK(!is_accepted(R"({"a": 1, "\u0061": 2})"));
  CHECK(is_accepted(R"({"a": {"a": 1}})"));
}

TEST(depth_is_bounded) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(is_accepted(nested(64)));
  CHECK(!is_accepted(nested(66)));
  CHECK(!is_accepted(std::string(1'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK(!is_accepted(objects));
}

TEST(number_of_values_is_bounded) {
  std::string text = "[0";
  for (int i = 0; i < (4 << 20); ++i) text += ",0";
  CHECK(!is_accepted(text + "]"));
}

TEST(every_prefix_of_a_document_is_refused) {
  const std::string text = R"({"a": [1, 2.5e-3, {"b": "\u00e9\\"}], "c": true, "d": null})";
  CHECK(is_accepted(text));
  for (size_t length = 0; length < text.size(); ++length) CHECK(!is_accepted(text.substr(0, length)));
}

TEST(mutated_documents_never_crash) {
  const std::string seed = R"({"model_type": "qwen2_vl", "x": [1, -2.5e10, true, null], "n": {"s": "a\u00e9\ud83d\ude00\n"}})";
  std::mt19937 random(1);
  int num_accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = seed;
    for (uint32_t edits = random() % 4 + 1; edits > 0; --edits) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 4 + 1);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 8));
      }
      if (text.empty()) text.assign(1, '{');
    }
    num_accepted += is_accepted(text) ? 1 : 0;
  }
  CHECK(num_accepted > 0);
  CHECK(num_accepted < 20000);
}

TEST(files_are_named_in_errors_and_bounded) {
  const auto path = std::filesystem::temp_directory_path() / "sensorium_test_json.json";
  std::ofstream(path) << R"({"a": 1})";
  CHECK_EQ(Json::parse_file(path.string()).get_int("a", 0), 1);
  CHECK_THROWS(Json::parse_file(path.string(), 3), ErrorCode::kInvalidCheckpoint);
  std::ofstream(path) << "{";
  try {
    (void)Json::parse_file(path.string());
    CHECK(false);
  } catch (const Error& error) {
    CHECK_EQ(error.code(), ErrorCode::kInvalidCheckpoint);
    CHECK(std::string(error.what()).find(path.string()) != std::string::npos);
  }
  std::filesystem::remove(path);
  CHECK_THROWS(Json::parse_file(path.string()), ErrorCode::kInvalidCheckpoint);
  CHECK_THROWS(Json::parse_file("/"), ErrorCode::kInvalidCheckpoint);
}
