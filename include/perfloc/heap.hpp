#pragma once

#include <perfloc/detail/export.hpp>
#include <perfloc/events.hpp>
#include <perfloc/options.hpp>
#include <perfloc/scope.hpp>
#include <perfloc/stats.hpp>

#include <memory>
#include <string>
#include <vector>

namespace perfloc {

namespace detail {
struct TestingAccess;
}

/// What the verifier found: each violation names the law, and parent -> child with type and field.
struct VerifyReport {
    std::vector<std::string> violations;
    std::uint64_t objects = 0;
    std::uint64_t references = 0;
    std::uint64_t suspicious_words = 0;
    bool ok() const { return violations.empty(); }
};

/// One reserved range of addresses with its pool of spans, its scopes and its collector. Several may live in a process. The
/// collector's thread takes none of the program's signals. In a process that is forked there is no such thread: a heap that had one
/// aborts there when it would need it, and says so; exec and _exit are safe, and heaps that are made there.
class PERFLOC_API Heap {
public:
    /// Reserves addresses (a few system calls; pages are backed at first touch). Throws ReservationError where the
    /// system grants less than 1 MiB, and OptionError for options that make no sense.
    explicit Heap(const Options& options = {});
    /// Ends what is left: destructors run, newest first. Handles that are left read null. Aborts under an attached
    /// mutator or an open detached scope, also one that a last destructor leaves. No other thread may use the heap or a global
    /// handle to it meanwhile.
    ~Heap();
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    RootScope& root() noexcept;
    /// The options as they hold: overridden by the environment, sizes as granted.
    const Options& options() const noexcept;
    Stats stats() const noexcept;
    /// The budget of pauses from now on. Throws OptionError for one that makes no sense. By the heap's mutator, or while
    /// there is none: AttachError elsewhere.
    void set_pauses(const PauseBudget& budget);

    /// Collects the whole heap in one pause, whatever the collector. A safepoint of the calling mutator. O(heap).
    void collect_full();
    /// Checks every law on the whole heap with a trace that shares no code with the collectors. O(heap); moves nothing.
    VerifyReport verify() const;

    /// The listener hears of what the collector does from now on; it must outlive that. Its rules stand above its class.
    /// By the heap's mutator, or while no other thread uses the heap; not during a call of a listener. O(listeners).
    void add_listener(EventListener& listener);
    /// No call of the listener is running or will come. Does nothing where it was not added. As add_listener.
    void remove_listener(EventListener& listener) noexcept;

private:
    friend detail::RegionHot* detail::begin_detached(Heap&, Label);
    friend class Mutator;
    friend struct detail::TestingAccess;
    std::unique_ptr<detail::HeapCore> core_;
    std::unique_ptr<RootScope> root_;
};

}  // namespace perfloc
