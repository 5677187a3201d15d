#include "runtime/condemned.hpp"
#include "tests/gc/cycle/sparse_bench.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

// Collections of many scopes begin in pieces. Of open ones all are looked at from the first moment on, and frozen one by one: at the
// latest before the program changes their memory, or what it makes there would pass for old, and dead.
using namespace sparse;
using perfloc::DetachedScope;

namespace {

perfloc::detail::CollectionState& collection() { return inspect::core().collection; }

std::size_t frozen() {
    std::size_t n = 0;
    inspect::core().for_each_open_region(
        [&](const perfloc::detail::Region& region) { n += inspect::core().regions.record(region).looked_at; });
    return n;
}

bool is_frozen(const void* object) { return inspect::core().regions.record(inspect::region(object)).looked_at != 0; }

bool looked_at(const void* object) { return perfloc::detail::in_set(inspect::core(), object); }

/// Detached scopes with an object each, which refers to another one.
struct Sessions {
    explicit Sessions(Bench& bench, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            scopes.emplace_back(bench.heap, perfloc::Label("session"));
            objects.push_back(scopes.back().make<Leaf>(nullptr, i));
            objects.back()->other = scopes.back().make_raw<Leaf>(nullptr, 1000 + i);
        }
    }
    bool whole() const {
        std::size_t i = 0;
        return std::ranges::all_of(objects, [&](const Handle<Leaf>& object) {
            const bool same = object->value == i && object->other->value == 1000 + i;
            ++i;
            return same;
        });
    }

    std::deque<DetachedScope> scopes;
    std::deque<Handle<Leaf>> objects;
};

struct Counted {
    int* destroyed;
    ~Counted() { ++*destroyed; }
};

/// A collection of the whole heap has begun, and has frozen no more than the current scope.
void begin(Bench& bench) {
    bench.heap.root().trim();
    bench.me.poll();  // which gives no slice
    REQUIRE(collection().open.freezing);
    REQUIRE(frozen() == 1);
}

/// What the program has made since is alive when the collection has ended.
void settle(Bench& bench, const std::vector<Handle<Leaf>>& made) {
    REQUIRE(bench.heap.verify().ok());
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    for (std::size_t i = 0; i < made.size(); ++i) {
        REQUIRE(made[i]->value == i);
        REQUIRE(made[i]->other->value == 100 + i);
    }
    const perfloc::VerifyReport verdict = bench.heap.verify();
    INFO((verdict.ok() ? "" : verdict.violations.front()));
    REQUIRE(verdict.ok());
}

/// In the current scope.
Handle<Leaf> pair(std::size_t i) { return perfloc::make<Leaf>(perfloc::make_raw<Leaf>(nullptr, 100 + i), i); }

}  // namespace

TEST_CASE("a collection of open scopes begins with one of them, however many there are") {
    Bench bench(1us);
    Sessions sessions(bench, 1500);
    begin(bench);
    for (const Handle<Leaf>& object : sessions.objects) REQUIRE(looked_at(object.get()));
    while (collection().open.freezing) {
        const std::size_t before = frozen();
        bench.step();
        REQUIRE(frozen() <= before + 1);
    }
    CHECK(frozen() == 1502);
    settle(bench, {});
    CHECK(sessions.whole());
    CHECK(collection().counts.frozen_early == 0);
}

TEST_CASE("scopes that begin while others are to be frozen are not looked at") {
    Bench bench(1us);
    Sessions sessions(bench, 20);
    begin(bench);
    Sessions younger(bench, 3);
    perfloc::Scope inner{"inner"};
    const std::vector<Handle<Leaf>> made{pair(0)};
    REQUIRE(collection().open.freezing);
    CHECK_FALSE(looked_at(made[0].get()));
    for (const Handle<Leaf>& object : younger.objects) CHECK_FALSE(looked_at(object.get()));
    settle(bench, made);
    CHECK(sessions.whole());
    CHECK(younger.whole());
}

TEST_CASE("a scope that is to be frozen is frozen before the program makes anything in it") {
    Bench bench(1us);
    Sessions sessions(bench, 20);
    std::optional<perfloc::Scope> outer{perfloc::Label("outer")};
    const Handle<Leaf> before = pair(7);
    const Handle<Leaf> held = perfloc::make_in<Leaf>(bench.heap.root(), nullptr, 8u);
    std::optional<perfloc::Scope> middle{perfloc::Label("middle")};
    std::optional<perfloc::Scope> inner{perfloc::Label("inner")};
    begin(bench);
    const Handle<Leaf>& session = sessions.objects[10];
    REQUIRE_FALSE(is_frozen(session.get()));
    REQUIRE_FALSE(is_frozen(before.get()));
    std::vector<Handle<Leaf>> made;
    SECTION("by entering it") {
        const DetachedScope::Enter enter(sessions.scopes[10]);
        CHECK(is_frozen(session.get()));
        made.push_back(pair(0));
        made.push_back(pair(1));
    }
    SECTION("from elsewhere") {
        made.push_back(sessions.scopes[10].make<Leaf>(sessions.scopes[10].make_raw<Leaf>(nullptr, 100u), 0u));
        CHECK(is_frozen(session.get()));
    }
    SECTION("from an inner one") {
        made.push_back(perfloc::make_in<Leaf>(*outer, perfloc::make_raw_in<Leaf>(*outer, nullptr, 100u), 0u));
        CHECK(is_frozen(before.get()));
    }
    SECTION("by the end of the one inside of it") {
        inner->end();
        middle->end();
        CHECK(is_frozen(before.get()));
        made.push_back(pair(0));
        outer->end();
        outer.reset();
    }
    SECTION("by what escapes to it") {
        {
            const perfloc::Scope young{"young"};
            session->other = perfloc::make_raw<Leaf>(perfloc::make_raw<Leaf>(nullptr, 7u), 1010u);
        }
        CHECK(is_frozen(session.get()));
        CHECK(session->other->other->value == 7);
    }
    SECTION("by what escapes to it from a scope with destructors") {
        int destroyed = 0;
        {
            const perfloc::Scope young{"young"};
            perfloc::make_raw<Counted>(&destroyed);
            session->other = perfloc::make_raw<Leaf>(perfloc::make_raw<Leaf>(nullptr, 7u), 1010u);
        }
        CHECK(destroyed == 1);
        CHECK(is_frozen(session.get()));
        CHECK(session->other->other->value == 7);
    }
    SECTION("by what escapes to the root") {
        {
            const perfloc::Scope young{"young"};
            held->other = pair(0).get();
        }
        CHECK(is_frozen(held.get()));
        made.emplace_back(held->other.get());
    }
    SECTION("by its end") {
        sessions.scopes[10].end();
        CHECK(is_frozen(session.get()));
    }
    SECTION("by what it is told to expect") {
        outer->expect(100'000);
        CHECK(is_frozen(before.get()));
        made.push_back(perfloc::make_in<Leaf>(*outer, perfloc::make_raw_in<Leaf>(*outer, nullptr, 100u), 0u));
    }
    CHECK(collection().counts.frozen_early != 0);
    settle(bench, made);
    CHECK(sessions.whole());
    CHECK(before->other->value == 107);
}

TEST_CASE("of a scope that was entered, what is around it is frozen before the program goes on there") {
    Bench bench(1us);
    DetachedScope session{bench.heap, "session"}, nested{bench.heap, "nested"};
    const DetachedScope::Enter enter(session);
    const Handle<Leaf> before = pair(7);
    std::vector<Handle<Leaf>> made;
    {
        const DetachedScope::Enter further(nested);
        const Handle<Leaf> beside = pair(9);
        session.trim();  // which does not enclose the current one
        bench.me.poll();
        REQUIRE(collection().open.freezing);
        REQUIRE_FALSE(is_frozen(before.get()));
        REQUIRE(looked_at(before.get()));
        CHECK_FALSE(looked_at(beside.get()));
    }
    CHECK(is_frozen(before.get()));
    made.push_back(pair(0));
    settle(bench, made);
    CHECK(before->other->value == 107);
}

TEST_CASE("what a program unlinks before its scope is frozen is not lost while a raw pointer holds it") {
    Bench bench(1us);
    Sessions sessions(bench, 20);
    begin(bench);
    REQUIRE_FALSE(is_frozen(sessions.objects[10].get()));
    Leaf* const other = sessions.objects[10]->other;
    sessions.objects[10]->other = nullptr;
    while (collection().open.freezing) perfloc::testing::slice(bench.heap);
    sessions.objects[10]->other = other;
    settle(bench, {});
    CHECK(sessions.whole());
}

TEST_CASE("of many scopes that have ended, a collection looks at some, and the next ones at the others") {
    Bench bench(1us);
    std::vector<Handle<Leaf>> chains;
    constexpr std::size_t kMost = 50, kScopes = 170;  // for a budget of a microsecond
    {
        Sessions sessions(bench, kScopes);
        begin(bench);  // those that end now wait for it
        for (std::size_t i = 0; i < kScopes; ++i) {
            const DetachedScope::Enter enter(sessions.scopes[i]);
            chains.emplace_back(chain([&](Leaf* next) { return perfloc::make_raw<Leaf>(next, i); }));
        }
    }
    REQUIRE(collection().waiting == kScopes);
    std::size_t collections = 0;
    for (auto last = collection().cycle; collection().waiting != 0 || bench.phase() != "idle"; bench.step()) {
        if (collection().cycle == last || bench.phase() == "idle") continue;
        last = collection().cycle;
        ++collections;
        std::size_t set = 0;
        for (auto* region = inspect::core().first_condemned; region != nullptr; region = region->next_listed) {
            set += inspect::core().regions.record(*region).looked_at;
        }
        REQUIRE(set <= kMost);
    }
    CHECK(collections == (kScopes + kMost - 1) / kMost);
    CHECK(collection().waiting_bytes == 0);
    for (std::size_t i = 0; i < kScopes; ++i) {
        CHECK(length(chains[i].get()) == 20);
        CHECK(chains[i]->value == i);
    }
    settle(bench, {});
}

TEST_CASE("what waits in many scopes that enclose each other is collected at once, not again for each of them") {
    Bench bench(1us);
    constexpr std::size_t kScopes = 300;
    std::vector<Handle<Leaf>> made;
    const auto nest = [&](const auto& self, std::size_t depth) -> void {
        if (depth == kScopes) return begin(bench);
        const perfloc::Scope scope{"nested"};
        self(self, depth + 1);
        bench[depth] = chain([&](Leaf* next) { return perfloc::make_raw<Leaf>(next, depth); });
    };
    nest(nest, 0);
    REQUIRE(collection().waiting == kScopes);
    const auto before = collection().cycle;
    settle(bench, {});
    CHECK(collection().cycle - before <= 2);
    for (std::size_t i = 0; i < kScopes; ++i) REQUIRE(length(bench[i]) == 20);
}

TEST_CASE("what is recorded before its target's scope is frozen is recorded again when the field changes") {
    Bench bench;
    bench.fill();
    DetachedScope session{bench.heap, "session"};
    const Handle<Leaf> first = session.make<Leaf>(nullptr, 1u);
    begin(bench);
    REQUIRE_FALSE(is_frozen(first.get()));
    const perfloc::Scope young{"young"};
    const Handle<Leaf> field = perfloc::make<Leaf>(nullptr, 5u);
    field->other = first.get();
    SECTION("at once") {}
    SECTION("in between it is null") { field->other = nullptr; }
    while (bench.phase() == "gather") bench.step();
    field->other = bench[kMiddle].get();
    Leaf* const before = bench[kMiddle].get();
    bench.settle();
    REQUIRE(bench[kMiddle].get() != before);  // it has moved
    CHECK(field->other.get() == bench[kMiddle].get());
}

TEST_CASE("destructors of what dies in inner scopes run first, whichever scope was frozen first") {
    struct Log {
        bool* closed;
        ~Log() { *closed = true; }
    };
    struct User {
        Ref<Log> log;
        int* wrong;
        ~User() { *wrong += *log->closed ? 1 : 0; }
    };
    Bench bench(1us);
    int wrong = 0;
    bool closed = false, closed_nest = false;
    DetachedScope session{bench.heap, "session"}, other{bench.heap, "other"};
    std::optional<perfloc::Scope> outer{perfloc::Label("outer")};
    {
        const auto log = perfloc::make_in<Log>(bench.heap.root(), &closed);
        session.make<User>(log.get(), &wrong);
        other.make<User>(log.get(), &wrong);
        const auto of_nest = perfloc::make_raw<Log>(&closed_nest);
        session.make<User>(of_nest, &wrong);
        const perfloc::Scope inner{"inner"};
        perfloc::make_raw<User>(of_nest, &wrong);
    }
    const perfloc::Scope inner{"inner"};
    begin(bench);
    SECTION("in order") {}
    SECTION("the root") { perfloc::make_raw_in<Leaf>(bench.heap.root(), nullptr, 1u); }
    SECTION("what is around the current one") { perfloc::make_raw_in<Leaf>(*outer, nullptr, 1u); }
    settle(bench, {});
    CHECK(closed);
    CHECK(closed_nest);
    CHECK(wrong == 0);
}

TEST_CASE("what is allocated further out has that scope frozen, and none in between") {
    Bench bench(1us);
    std::vector<Handle<Leaf>> made;
    const auto nest = [&](const auto& self, perfloc::Scope& outermost, std::size_t depth) -> void {
        if (depth == 100) {
            begin(bench);
            const std::size_t before = frozen();
            SECTION("in the root") {
                made.push_back(perfloc::make_in<Leaf>(
                    bench.heap.root(), perfloc::make_raw_in<Leaf>(bench.heap.root(), nullptr, 100u), 0u));
            }
            SECTION("in the outermost one") {
                made.push_back(
                    perfloc::make_in<Leaf>(outermost, perfloc::make_raw_in<Leaf>(outermost, nullptr, 100u), 0u));
            }
            CHECK(frozen() == before + 1);
            return;
        }
        perfloc::Scope scope{"nested"};
        {
            const perfloc::Scope spare{"spare"};
            perfloc::make_raw<Leaf>(nullptr, depth);
        }
        self(self, outermost, depth + 1);
        // Its spare would hand out what was there before.
        const perfloc::Scope again{"again"};
        const Handle<Leaf> leaf = pair(depth);
        CHECK_FALSE(looked_at(leaf.get()));
    };
    perfloc::Scope outermost{"outermost"};
    nest(nest, outermost, 0);
    settle(bench, made);
}
