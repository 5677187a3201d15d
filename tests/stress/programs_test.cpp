#include "support/catch.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"
#include "gc/graph.hpp"

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Mortal;
using objects::Named;
using objects::Node;

/// Small programs of the kinds that the samples are, under every stress mode and collector: the verifier looks at each
/// safepoint and end, everything moves that may, and old copies are poisoned.
namespace {

template <class Program>
void under_stress(Program&& program) {
    for (const char* const modes : {"verify,move,poison", "verify", "move", "poison", ""}) {
        for (const Collector collector : {Collector::hinted, Collector::full, Collector::none}) {
            INFO("PERFLOC_STRESS=" << modes << ", collector " << static_cast<int>(collector));
            const Environment stress("PERFLOC_STRESS", modes);
            Heap heap(objects::small(collector));
            Mutator me(heap);
            program(heap, me);
            heap.collect_full();
            REQUIRE(heap.verify().ok());
        }
    }
}

Handle<Node> build(int depth) {
    if (depth == 0) return make<Node>();
    auto left = build(depth - 1);
    auto right = build(depth - 1);
    return make<Node>(left, right, depth);
}
Node* build_raw(int depth) {
    if (depth == 0) return make_raw<Node>();
    Node* const left = build_raw(depth - 1);
    Node* const right = build_raw(depth - 1);
    return make_raw<Node>(left, right, depth);
}
int count(const Node* node) { return node == nullptr ? 0 : 1 + count(node->left) + count(node->right); }

struct Entry {
    Ref<Entry> next;
    Ref<Array<char>> word;
    Ref<Array<int>> places;
    int used = 0;
};
using Table = Array<Ref<Entry>>;

Entry& entry_of(Table& table, const std::string& word) {
    Ref<Entry>& slot = table[std::hash<std::string>{}(word) % table.size()];
    for (Entry* e = slot; e != nullptr; e = e->next) {
        if (std::equal(word.begin(), word.end(), e->word->begin(), e->word->end())) return *e;
    }
    Array<char>* const text = make_raw_array<char>(word.size());
    std::copy(word.begin(), word.end(), text->data());
    Entry* const entry = make_raw<Entry>(slot.get(), text, make_raw_array<int>(4));
    slot = entry;
    return *entry;
}

}  // namespace

TEST_CASE("trees by handles and by raw pointers are whole, in scopes of their own") {
    under_stress([](Heap&, Mutator& me) {
        auto kept = build(4);
        for (int i = 0; i < 5; ++i) {
            Scope scope{"tree"};
            auto tree = build(5);
            REQUIRE(count(build_raw(5)) == 63);
            me.poll();
            REQUIRE(count(tree.get()) == 63);
            kept->left = tree->right;
            if (i % 2 == 0) scope.keep();
        }
        me.poll();
        REQUIRE(count(kept->left) == 31);
    });
}

TEST_CASE("requests whose results are kept in a cache outside give the same answers") {
    under_stress([](Heap&, Mutator& me) {
        auto cache = make_array<Ref<Node>>(16);
        std::map<std::size_t, int> expected;
        for (int i = 0; i < 60; ++i) {
            Scope request{"request"};
            Node* list = nullptr;
            for (int n = 0; n < 20; ++n) list = make_raw<Node>(list, nullptr, i * 100 + n);
            if (i % 3 == 0) {
                (*cache)[static_cast<std::size_t>(i) % 16] = list->left->left;
                expected[static_cast<std::size_t>(i) % 16] = i * 100 + 17;
            }
            if (i % 10 == 0) me.poll();
        }
        for (const auto& [i, value] : expected) {
            REQUIRE((*cache)[i]->value == value);
            REQUIRE(objects::length((*cache)[i]) == 18);
        }
    });
}

TEST_CASE("an index of words that is built file by file finds every place") {
    under_stress([](Heap&, Mutator& me) {
        auto table = make_array<Ref<Entry>>(31);
        std::map<std::string, std::vector<int>> expected;
        int place = 0;
        for (int file = 0; file < 8; ++file) {
            Scope scope{"file"};
            for (int n = 0; n < 30; ++n) {
                const std::string word = "word" + std::to_string((file * 7 + n * n) % 23);
                Entry& entry = entry_of(*table, word);
                if (static_cast<std::size_t>(entry.used) == entry.places->size()) {
                    Array<int>* const more = make_raw_array<int>(entry.places->size() * 2);
                    std::copy(entry.places->begin(), entry.places->end(), more->data());
                    entry.places = more;
                }
                (*entry.places)[static_cast<std::size_t>(entry.used++)] = place;
                expected[word].push_back(place++);
            }
            if (file % 3 == 0) me.poll();
        }
        for (const auto& [word, places] : expected) {
            const Entry& entry = entry_of(*table, word);
            REQUIRE(static_cast<std::size_t>(entry.used) == places.size());
            REQUIRE(std::equal(places.begin(), places.end(), entry.places->data()));
        }
    });
}

TEST_CASE("detached requests that overlap end in another order than they began") {
    under_stress([](Heap& heap, Mutator& me) {
        std::deque<std::unique_ptr<DetachedScope>> open;
        std::deque<Handle<Node>> results;
        for (int i = 0; i < 40; ++i) {
            open.push_back(std::make_unique<DetachedScope>(heap, Label("request")));
            {
                DetachedScope::Enter inside(*open.back());
                Node* const earlier = results.empty() ? nullptr : results.back().get();
                results.push_back(make<Node>(earlier, build_raw(2), i));
                Scope nested{"step"};
                build_raw(2);
            }
            if (i % 4 == 3) {
                open.erase(open.begin() + i % static_cast<int>(open.size()));
                me.poll();
            }
            if (results.size() > 5) results.pop_front();
        }
        open.clear();
        int expected = 39;
        for (const Node* node = results.back().get(); node != nullptr; node = node->left) {
            REQUIRE(node->value == expected--);
            REQUIRE(count(node->right) == 7);
        }
        REQUIRE(expected == -1);
    });
}

TEST_CASE("destructors run once each, and pinned objects stay") {
    std::vector<int> log;
    int made = 0;
    under_stress([&](Heap& heap, Mutator& me) {
        Handle<Named> named;
        Handle<Mortal> mortal;
        const Named* place = nullptr;
        for (int i = 0; i < 20; ++i) {
            Scope scope{"scope"};
            for (int n = 0; n < 3; ++n) make_raw<Mortal>(log, made++);
            mortal = make<Mortal>(log, made++, mortal.get());
            if (i == 5) place = (named = make<Named>("pinned", make_raw<Named>("referred to"))).get();
            if (i % 4 == 0) me.poll();
        }
        REQUIRE(named.get() == place);
        REQUIRE(named->next()->name() == "referred to");
        REQUIRE(heap.verify().ok());
    });
    std::sort(log.begin(), log.end());
    REQUIRE(static_cast<int>(log.size()) == made);
    REQUIRE(std::unique(log.begin(), log.end()) == log.end());
}

TEST_CASE("weak handles, pins and global handles hold what they should") {
    under_stress([](Heap& heap, Mutator& me) {
        std::list<WeakHandle<Node>> weak;
        std::list<GlobalHandle<Node>> global;
        auto first = make<Node>(nullptr, nullptr, -1);
        Pin<Node> pin(first);
        const Node* const place = pin.get();
        for (int i = 0; i < 20; ++i) {
            Scope scope{"scope"};
            auto node = make<Node>(nullptr, nullptr, i);
            weak.emplace_back(node);
            if (i % 2 == 0) global.emplace_back(node);
            me.poll();
            REQUIRE(weak.back().lock() == node);
        }
        heap.collect_full();
        REQUIRE(pin.get() == place);
        REQUIRE(first->value == -1);
        int i = 0;
        for (const auto& handle : weak) {
            REQUIRE(handle.expired() == (i % 2 != 0));
            if (i % 2 == 0) REQUIRE(handle.lock()->value == i);
            ++i;
        }
    });
}

TEST_CASE("random graphs stay what they are through scopes, polls and collections") {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        under_stress([seed](Heap&, Mutator& me) {
            graph::Random random(seed);
            std::vector<Handle<graph::Cell>> roots;
            for (int round = 0; round < 4; ++round) {
                Scope scope{"scope"};
                auto more = graph::make(random, {.cells = 200, .roots = 5, .extra = 200, .array = 40});
                for (auto& root : roots) {
                    if (random.below(2) == 0) root->b = more[random.below(more.size())];
                }
                roots.insert(roots.end(), more.begin(), more.end());
                const graph::Copy before(roots);
                me.poll();
                REQUIRE(graph::Copy(roots) == before);
                scope.end();
                REQUIRE(graph::Copy(roots) == before);
                roots.resize(roots.size() / 2 + 1);
            }
        });
    }
}
