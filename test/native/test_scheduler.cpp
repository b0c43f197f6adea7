#include "check.h"
#include "engine/scheduler.h"

using namespace sensorium;

namespace {

constexpr int32_t kBlockSize = 4;

/// A scheduler with its means; step() computes what it planned and appends one token where one is due.
struct World {
  explicit World(int64_t num_blocks, SchedulerOptions given = {4, 16, kBlockSize, true}, size_t encoder_bytes = 1 << 20)
      : options(given),
        blocks(num_blocks),
        prefix(blocks),
        encoded(encoder_bytes),
        scheduler(options, blocks, prefix, encoded) {}

  SequencePtr add(int32_t prompt_length, int32_t first_token) {
    auto sequence = std::make_shared<Sequence>();
    sequence->request = std::make_shared<Request>();
    for (int32_t i = 0; i < prompt_length; ++i) sequence->request->input.prompt_ids.push_back(first_token + i);
    scheduler.add(sequence);
    return sequence;
  }
  /// Adds an item over tokens [offset, offset + count) of a waiting sequence.
  void add_media(Sequence& sequence, const std::string& key, int32_t offset, int32_t count) {
    Request& request = *sequence.request;
    request.input.media.push_back({key, std::make_shared<ProcessedMedia>(), {{offset, count}}});
    request.runs = sorted_runs(request.input.media, request.prompt_length());
    request.media_bytes.push_back(static_cast<size_t>(count) * sizeof(float));
    request.media_origins.push_back(MediaOrigin::kUnknown);
  }
  Schedule step() {
    Schedule schedule = scheduler.schedule();
    for (const EncoderJob& job : schedule.encoder_jobs) encoded.fill(job.key, Tensor({job.num_rows, 1}));
    for (const ScheduledSequence& entry : schedule.sequences) {
      scheduler.advance(*entry.sequence, entry.num_tokens);
      if (entry.is_sampled) entry.sequence->output_ids.push_back(1);
    }
    return schedule;
  }

  SchedulerOptions options;
  BlockManager blocks;
  PrefixCache prefix;
  EncoderCache encoded;
  Scheduler scheduler;
};

int32_t num_scheduled(const Schedule& schedule, const SequencePtr& sequence) {
  for (const ScheduledSequence& entry : schedule.sequences) {
    if (entry.sequence == sequence) return entry.num_tokens;
  }
  return 0;
}

}  // namespace

TEST(decodes_come_before_prompts_in_chunks) {
  World world(64);
  const auto first = world.add(10, 0);
  CHECK_EQ(num_scheduled(world.step(), first), 10);
  const auto second = world.add(40, 100);
  const Schedule mixed = world.step();
  CHECK_EQ(num_scheduled(mixed, first), 1);
  CHECK_EQ(num_scheduled(mixed, second), 15);
  CHECK(mixed.sequences[0].is_sampled && !mixed.sequences[1].is_sampled);
  CHECK_EQ(num_scheduled(world.step(), second), 15);
  const Schedule last = world.step();
  CHECK_EQ(num_scheduled(last, second), 10);
  CHECK(last.sequences[1].is_sampled);
}

TEST(a_running_prompt_does_not_hold_up_later_decodes) {
  World world(64);
  const auto prompt = world.add(60, 100), decoding = world.add(3, 0);
  world.add_media(*prompt, "a", 0, 10);
  world.add_media(*prompt, "b", 10, 10);  // its encoder is above the first step's budget: the window ends before it
  const Schedule first = world.step();
  CHECK_EQ(num_scheduled(first, prompt), 10);
  CHECK_EQ(num_scheduled(first, decoding), 3);
  const Schedule second = world.step();
  CHECK_EQ(num_scheduled(second, decoding), 1);
  CHECK_EQ(num_scheduled(second, prompt), 15);
}

TEST(seats_and_arrival_order_are_kept) {
  World world(64, {2, 64, kBlockSize, true});
  const auto a = world.add(4, 0), b = world.add(4, 10), c = world.add(4, 20), d = world.add(4, 30);
  CHECK_EQ(world.step().sequences.size(), 2U);
  CHECK(world.scheduler.waiting().front() == c);
  world.scheduler.remove(*a);
  const Schedule next = world.step();
  CHECK_EQ(num_scheduled(next, c), 4);
  CHECK_EQ(num_scheduled(next, d), 0);
  CHECK_EQ(num_scheduled(next, b), 1);
}

TEST(a_waiting_prompt_without_room_is_not_overtaken) {
  World world(10);
  const auto large = world.add(30, 0);
  world.step();
  const auto waiting = world.add(16, 100), small = world.add(2, 200);
  for (int i = 0; i < 3; ++i) world.step();
  CHECK(world.scheduler.waiting().front() == waiting);
  CHECK(!small->is_running);
  world.scheduler.remove(*large);
  world.step();
  CHECK(waiting->is_running);
}

TEST(the_last_running_is_preempted_and_comes_back_first) {
  World world(6, {4, 16, kBlockSize, false});
  const auto old = world.add(8, 0), young = world.add(8, 100);
  world.step();
  const auto waiting = world.add(4, 200);
  while (world.scheduler.stats().num_preemptions == 0) {
    const Schedule schedule = world.step();
    if (schedule.num_preempted > 0) CHECK_EQ(num_scheduled(schedule, young), 0);
    CHECK_EQ(num_scheduled(schedule, old), 1);
  }
  CHECK(!young->is_running && young->block_table.empty());
  CHECK_EQ(young->num_computed_tokens, 0);
  CHECK(world.scheduler.waiting().front() == young);
  world.scheduler.remove(*old);
  const Schedule schedule = world.step();
  CHECK_EQ(num_scheduled(schedule, young), young->num_computed_tokens);
  CHECK(young->num_computed_tokens > 8);  // its answer so far is computed again too
  CHECK(!waiting->is_running || schedule.sequences.front().sequence == young);
}

TEST(a_sequence_can_use_all_blocks_alone) {
  World world(4);
  const auto sequence = world.add(6, 0);
  for (int i = 0; i < 11; ++i) CHECK_EQ(world.step().sequences.size(), 1U);
  CHECK_EQ(sequence->num_computed_tokens, 16);
  CHECK_EQ(world.blocks.num_available(), 0);
  world.scheduler.remove(*sequence);
  CHECK_EQ(world.blocks.num_used(), 0);
}

TEST(equal_blocks_are_shared_once_computed) {
  World world(64, {4, 64, kBlockSize, true});
  const auto a = world.add(9, 0), b = world.add(9, 0);  // computed side by side
  world.step();
  CHECK_EQ(a->block_table[0], b->block_table[0]);
  CHECK_EQ(a->block_table[1], b->block_table[1]);
  CHECK(a->block_table[2] != b->block_table[2]);
  CHECK_EQ(world.blocks.num_used(), 4);
  world.scheduler.remove(*a);
  world.scheduler.remove(*b);
  CHECK_EQ(world.blocks.num_used(), 0);
}

TEST(the_end_of_a_prefix_is_evicted_before_its_beginning) {
  World world(6, {4, 64, kBlockSize, true});
  const auto first = world.add(17, 0);
  world.step();
  world.scheduler.remove(*first);
  const auto other = world.add(9, 500);  // two blocks are free, the third was the prefix's last
  world.step();
  world.scheduler.remove(*other);
  const auto again = world.add(17, 0);
  world.step();
  CHECK_EQ(again->request->num_cached_tokens, std::optional<int32_t>(12));
}

TEST(forks_share_full_blocks_and_copy_the_last) {
  World world(64);
  const auto parent = world.add(10, 0);
  const Schedule schedule = world.scheduler.schedule();
  world.scheduler.advance(*parent, schedule.sequences[0].num_tokens);
  const auto child = std::make_shared<Sequence>();
  child->request = parent->request;
  const auto copy = world.scheduler.fork(*parent, child);
  CHECK(copy.has_value());
  CHECK_EQ(copy->from, parent->block_table[2]);
  CHECK_EQ(copy->to, child->block_table[2]);
  CHECK_EQ(child->block_table[1], parent->block_table[1]);
  CHECK_EQ(world.blocks.num_users(parent->block_table[0]), 2);
  CHECK_EQ(world.blocks.num_used(), 4);
  world.scheduler.remove(*parent);
  CHECK_EQ(world.blocks.num_used(), 3);
  world.scheduler.remove(*child);
  CHECK_EQ(world.blocks.num_used(), 0);
}

TEST(a_fork_without_a_block_waits) {
  World world(3);
  const auto parent = world.add(10, 0);
  const Schedule schedule = world.scheduler.schedule();
  world.scheduler.advance(*parent, schedule.sequences[0].num_tokens);
  const auto child = std::make_shared<Sequence>();
  child->request = parent->request;
  CHECK(!world.scheduler.fork(*parent, child).has_value());
  CHECK(world.scheduler.waiting().front() == child);
  CHECK(child->block_table.empty());
}

TEST(encoders_run_when_the_window_reaches_their_item) {
  World world(64);
  const auto sequence = world.add(40, 0);
  world.add_media(*sequence, "near", 4, 4);
  world.add_media(*sequence, "far", 30, 4);
  CHECK_EQ(world.step().encoder_jobs.size(), 1U);
  CHECK(!world.encoded.contains("far"));
  CHECK_EQ(world.encoded.pinned_bytes(), 0U);  // all its tokens are computed
  const Schedule second = world.step();
  CHECK_EQ(second.encoder_jobs.size(), 1U);
  CHECK_EQ(num_scheduled(second, sequence), 16);
  CHECK(world.encoded.pinned_bytes() > 0);  // the window ended inside
  world.step();
  CHECK_EQ(world.encoded.pinned_bytes(), 0U);
}

TEST(the_encoder_budget_admits_items_while_their_rows_fit) {
  World world(64);
  const auto a = world.add(4, 0), b = world.add(7, 100), c = world.add(5, 200);
  world.add_media(*a, "a", 0, 4);
  world.add_media(*b, "b", 0, 7);
  world.add_media(*c, "c", 0, 5);
  CHECK_EQ(world.step().encoder_jobs.size(), 3U);  // 16 rows
  for (const auto& sequence : {a, b, c}) world.scheduler.remove(*sequence);
  const auto d = world.add(40, 300);
  world.add_media(*d, "d", 0, 30);  // more rows than the budget: alone in its step
  world.add_media(*d, "e", 30, 5);
  CHECK_EQ(world.step().encoder_jobs.size(), 1U);
  CHECK_EQ(d->num_computed_tokens, 16);
}

TEST(a_full_encoder_cache_lets_the_oldest_prompt_go_on) {
  World world(64, {4, 8, kBlockSize, true}, 4 * sizeof(float));
  const auto a = world.add(40, 0), b = world.add(40, 100);
  world.add_media(*a, "a", 2, 30);
  world.add_media(*b, "b", 0, 30);
  int num_steps = 0;
  while (a->output_ids.empty() || b->output_ids.empty()) {
    CHECK(!world.step().sequences.empty());
    if (++num_steps > 40) break;
    if (!a->output_ids.empty() && a->is_running) world.scheduler.remove(*a);
  }
  CHECK(num_steps <= 40);
  CHECK_EQ(world.encoded.size_bytes(), 0U);
}

TEST(removing_frees_blocks_and_rows) {
  World world(64);
  const auto running = world.add(40, 0), waiting = world.add(5, 100);
  world.add_media(*running, "a", 2, 30);
  world.step();
  CHECK(world.encoded.pinned_bytes() > 0);
  world.scheduler.remove(*running);
  world.scheduler.remove(*waiting);
  CHECK_EQ(world.encoded.pinned_bytes(), 0U);
  CHECK_EQ(world.blocks.num_used(), 0);
  CHECK(!world.scheduler.has_work());
}
