#include "death/objects.hpp"
#include "support/catch.hpp"

#include <chrono>

using perfloc::Handle;
using perfloc::Heap;
using perfloc::Mutator;
using perfloc::Ref;
using perfloc::Scope;

namespace {

class Revenant;
struct Grave {
    Ref<Revenant> of;
};

/// Its destructor stores it where it would live on: in a managed object, in a handle, in a global handle.
class Revenant {
public:
    Revenant(Grave* grave, Handle<Revenant>* handle, perfloc::GlobalHandle<Revenant>* global)
        : grave_(grave), handle_(handle), global_(global) {}
    ~Revenant() {
        if (grave_) grave_->of = this;
        if (handle_ != nullptr) *handle_ = this;
        if (global_ != nullptr) *global_ = perfloc::GlobalHandle<Revenant>(this);
    }
    void trace(perfloc::Tracer& tracer) const { tracer(grave_); }

private:
    Ref<Grave> grave_;
    Handle<Revenant>* handle_;
    perfloc::GlobalHandle<Revenant>* global_;
};

/// What a scope that made a Revenant comes to. `collect` sees to it that it dies.
template <class Make, class Collect>
death::Child run_in_scope(const perfloc::Options& options, Make make, Collect collect) {
    return death::run([&] {
        Heap heap(options);
        Mutator me(heap);
        const Handle<Grave> grave = perfloc::make<Grave>();
        Handle<Revenant> handle;
        perfloc::GlobalHandle<Revenant> global;
        {
            Scope s("dying");
            make(grave, handle, global);
        }
        collect(heap, me);
        ::_exit(7);  // neither handle is to be looked at
    });
}

template <class Make>
death::Child run_in_scope(perfloc::Collector collector, Make make) {
    perfloc::Options options = death::small_heap();
    options.collector = collector;
    return run_in_scope(options, make, [&](Heap& heap, Mutator&) {
        if (collector == perfloc::Collector::full) heap.collect_full();
    });
}

/// The same where the scope is collected beside the program.
template <class Make>
death::Child run_beside(Make make) {
    perfloc::Options options = death::small_heap();
    options.pauses.max = std::chrono::nanoseconds(1);
    options.collector_thread = false;
    return run_in_scope(options, make, [](Heap&, Mutator& me) {
        me.collect_until(std::chrono::steady_clock::now() + std::chrono::minutes(1));
    });
}

}  // namespace

TEST_CASE("destructors may not resurrect beside the program either", "[death]") {
    const auto stored = run_beside(
        [](const Handle<Grave>& grave, auto&, auto&) { perfloc::make_raw<Revenant>(grave.get(), nullptr, nullptr); });
    CHECK(stored.died_saying({"destructor", "Revenant", "may not resurrect"}));
    const auto held = run_beside(
        [](const auto&, Handle<Revenant>& handle, auto&) { perfloc::make_raw<Revenant>(nullptr, &handle, nullptr); });
    CHECK(held.died_saying({"destructor", "Revenant", "may not resurrect"}));
    const auto global = run_beside([](const auto&, auto&, perfloc::GlobalHandle<Revenant>& kept) {
        perfloc::make_raw<Revenant>(nullptr, nullptr, &kept);
    });
    CHECK(global.died_saying({"destructor", "Revenant", "may not resurrect"}));
}

TEST_CASE("a destructor that stores its object in a managed object aborts and names the type", "[death]") {
    for (const auto collector : {perfloc::Collector::hinted, perfloc::Collector::full}) {
        const auto child = run_in_scope(collector, [](const Handle<Grave>& grave, auto&, auto&) {
            perfloc::make_raw<Revenant>(grave.get(), nullptr, nullptr);
        });
        CAPTURE(child.err, child.exit_code());
        CHECK(child.died_saying({"destructor", "Revenant", "may not resurrect"}));
    }
}

TEST_CASE("a destructor that leaves a handle to its object aborts and names the type", "[death]") {
    for (const auto collector : {perfloc::Collector::hinted, perfloc::Collector::full}) {
        const auto child = run_in_scope(collector, [](const Handle<Grave>&, Handle<Revenant>& handle, auto&) {
            perfloc::make_raw<Revenant>(nullptr, &handle, nullptr);
        });
        CAPTURE(child.err, child.exit_code());
        CHECK(child.died_saying({"destructor", "Revenant", "may not resurrect"}));
    }
}

TEST_CASE("a destructor that leaves a global handle to its object aborts and names the type", "[death]") {
    for (const auto collector : {perfloc::Collector::hinted, perfloc::Collector::full}) {
        const auto child =
            run_in_scope(collector, [](const Handle<Grave>&, auto&, perfloc::GlobalHandle<Revenant>& global) {
                perfloc::make_raw<Revenant>(nullptr, nullptr, &global);
            });
        CAPTURE(child.err, child.exit_code());
        CHECK(child.died_saying({"destructor", "Revenant", "may not resurrect"}));
    }
}

TEST_CASE("what dies in a destructor's own scope is not resurrected either", "[death]") {
    struct Inner {
        Handle<Inner>* kept;
        explicit Inner(Handle<Inner>& to) : kept(&to) {}
        ~Inner() { *kept = Handle<Inner>(this); }
        void trace(perfloc::Tracer&) const {}
    };
    struct Outer {
        Outer() = default;
        ~Outer() {
            Handle<Inner> kept;
            const perfloc::Scope scope("in a destructor");
            perfloc::make_raw<Inner>(kept);
        }
        void trace(perfloc::Tracer&) const {}
    };
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        const perfloc::Scope scope("outer");
        perfloc::make_raw<Outer>();
    });
    CHECK(child.died_saying({"destructor", "Inner", "may not resurrect"}));
}

TEST_CASE("a destructor may use a handle to its object while it runs", "[death]") {
    struct Careful {
        std::int64_t* seen;
        explicit Careful(std::int64_t* to) : seen(to) {}
        ~Careful() {
            const Handle<Careful> self(this);
            ++*self->seen;
        }
        void trace(perfloc::Tracer&) const {}
    };
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        std::int64_t seen = 0;
        {
            Scope s("dying");
            perfloc::make_raw<Careful>(&seen);
        }
        return seen == 1 ? 0 : 1;
    });
    CAPTURE(child.err);
    CHECK(child.exit_code() == 0);
    CHECK(child.perfloc_lines().empty());
}
