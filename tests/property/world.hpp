// A heap and its model, side by side: everything that may end an object is announced here, and checked afterwards.
#pragma once

#include "census.hpp"
#include "model.hpp"
#include "program.hpp"
#include "roots.hpp"

#include "runtime/heap_core.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace perfloc::property {

class World final : public Witness {
public:
    World(const Setting& setting, Census& census);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    Heap& heap() { return *heap_; }
    bool listens() const { return heap_->options().collector == Collector::hinted; }

    // The first thing that was not as it should be; empty: all was.
    const std::string& failure() const { return failure_; }
    bool failed() const { return !failure_.empty(); }
    void fail(std::string what);
    void expect(bool holds, const char* what) {
        if (!holds) fail(what);
    }

    // Scopes, by their numbers.
    ScopeNumber begin_scope() { return next_scope_++; }
    ScopeNumber next_scope() const { return next_scope_; }
    void before_end(ScopeNumber scope, bool detached, bool kept = false);
    void after_end(bool unwound = false);

    // Safepoints.
    void poll(bool idle);
    void collect_full();
    void collect_until(std::chrono::nanoseconds time);
    /// All that has ended is settled.
    void rest();
    std::uint64_t polls() const { return polls_; }
    /// A safepoint of another kind: plain pointers end.
    void reset_raws();

    /// A collection goes on beside the program, or something waits for one.
    bool collecting() const;
    /// A collection beside the program looks at open scopes.
    bool collected_while_open() const;
    /// Something was done to a weak handle that may keep its object alive.
    void touch_weak(Id id) { model.spare(id); }
    /// Of global handles that held these, some may have been dropped: what a collection may not have walked yet stays a root
    /// until the next poll (protocol P9).
    void note_dropped(const std::vector<Id>& before);
    /// A NoPause begins or ends.
    void forbid_pauses(int by) { no_pauses_ += by; }
    bool may_pause() const { return no_pauses_ == 0; }

    // The mutator, and its outermost scope.
    void attach();
    void detach();
    bool attached() const { return mutator_.has_value(); }
    ScopeNumber outermost() const { return outermost_; }

    /// All that is reachable is as the model says, and the verifier finds no fault.
    void check();
    /// The heap is destroyed: whatever was made and has a destructor has been destroyed by now.
    void check_end_of_heap();

    void destroyed(const Object& object) noexcept override;

    Model model;
    Roots roots;
    Census& census;

private:
    /// What is going on that may end objects.
    enum class Activity : std::uint8_t { none, scope_end, keep, collection, end_of_heap };
    struct Figures {
        std::uint64_t promotions = 0, collections = 0, destructors = 0, full_collections = 0, condemned = 0;
        std::size_t free_bytes = 0, promoted_bytes = 0;
    };

    Figures figures() const;
    void start(Activity activity);
    void finish() { activity_ = Activity::none; }
    void after_collection(bool sure);
    void check_order(const Node& node, Id id);
    void doom(const Model::Set& survivors);
    void check_gone();
    std::string referrers_of(Id id) const;
    void note_counts();
    bool older_spans_in_younger_scope() const;
    void count_ending(bool unwound);

    std::unique_ptr<Heap> heap_;
    std::optional<Mutator> mutator_;
    std::string failure_;
    ScopeNumber next_scope_ = kRootScope + 1;
    ScopeNumber outermost_ = kRootScope;

    Activity activity_ = Activity::none;
    ScopeNumber ending_ = kElsewhere;
    Figures before_;
    Model::Set reachable_;                              ///< when the activity started
    std::vector<Id> ghosts_;                            ///< dropped global handles that are roots until the next poll
    Model::Set outside_;                                ///< ... from outside the ending scope
    std::map<ScopeNumber, std::uint64_t> newest_left_;  ///< of a scope's doomed: none that is newer is to be destroyed
    std::set<ScopeNumber>
        collected_open_;  ///< scopes that ended while a collection looked at them: their dead die in parts
    detail::HeapCore* core_ = nullptr;
    detail::CollectionCounts counted_;
    std::uint64_t counted_cycles_ = 0;
    std::uint32_t cycle_before_ = 0;  ///< the last collection that had begun before the end of a scope
    std::uint64_t polls_ = 1;
    int no_pauses_ = 0;
};

}  // namespace perfloc::property
