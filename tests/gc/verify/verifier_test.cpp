#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <cstring>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Node;

/// Each case breaks the heap by a raw memory write and looks for what the verifier says; then it mends the heap.
namespace {

struct Bench {
    Heap heap{objects::small()};
    Mutator me{heap};

    /// The one violation found.
    std::string violation() const {
        const VerifyReport report = heap.verify();
        CHECK_FALSE(report.ok());
        CHECK(report.violations.size() == 1);
        return report.violations.empty() ? "" : report.violations.front();
    }
};

bool has(const std::string& text, std::initializer_list<const char*> parts) {
    for (const char* const part : parts) {
        if (text.find(part) == std::string::npos) {
            UNSCOPED_INFO(text << " lacks " << part);
            return false;
        }
    }
    return true;
}

class RawWrite {
public:
    RawWrite(const void* place, std::uintptr_t word) : place_(const_cast<void*>(place)) {
        std::memcpy(&before_, place_, sizeof before_);
        std::memcpy(place_, &word, sizeof word);
    }
    RawWrite(const void* place, const void* address) : RawWrite(place, reinterpret_cast<std::uintptr_t>(address)) {}
    ~RawWrite() { std::memcpy(place_, &before_, sizeof before_); }
    RawWrite(const RawWrite&) = delete;
    RawWrite& operator=(const RawWrite&) = delete;

private:
    void* place_;
    std::uintptr_t before_;
};

}  // namespace

TEST_CASE("a sound heap has no violations, and its objects and their Refs are counted") {
    Bench bench;
    auto list = make<Node>(make<Node>(), nullptr, 1);
    Scope inner{"inner"};
    list->right = make_raw<Node>(list);
    const VerifyReport report = bench.heap.verify();
    CHECK(report.ok());
    CHECK(report.objects == 3);
    CHECK(report.references == 6);
}

TEST_CASE("a reference out of the heap is found, with parent, field and address") {
    Bench bench;
    auto parent = make<Node>();
    const RawWrite bad(&parent->right, std::uintptr_t{0x1234'5678});
    CHECK(has(bench.violation(), {"[stale]", "objects::Node", "offset 8", "->", "12345678", "not in the heap"}));
}

TEST_CASE("a reference to the middle of an object is found") {
    Bench bench;
    auto child = make<Node>();
    auto parent = make<Node>(child);
    const RawWrite bad(&parent->left, &child->right);
    CHECK(has(bench.violation(), {"[stale]", "objects::Node", "offset 0", "->", "not the start of a live object"}));
}

TEST_CASE("a reference to memory without an object is found") {
    Bench bench;
    auto parent = make<Node>();
    const RawWrite bad(&parent->left, reinterpret_cast<const char*>(parent.get()) + 3000);
    CHECK(has(bench.violation(), {"[stale]", "objects::Node", "not the start of a live object"}));
}

TEST_CASE("a reference into a scope that has ended is found") {
    Bench bench;
    auto parent = make<Node>();
    const void* gone = nullptr;
    {
        Scope scope{"gone"};
        make_raw_array<char>(100'000);
        gone = make_raw<Node>();
    }
    const RawWrite bad(&parent->left, gone);
    const VerifyReport report = bench.heap.verify();
    REQUIRE(report.violations.size() == 1);
    CHECK(has(report.violations.front(), {"[stale]", "objects::Node", "field left", "offset 0", "->"}));
}

TEST_CASE("a reference inward that is not recorded is found, with both scopes") {
    Bench bench;
    Scope outer{"the outer scope"};
    auto parent = make<Node>();
    Scope inner{"the inner scope"};
    auto child = make<Node>();
    const RawWrite bad(&parent->left, child.get());
    CHECK(has(bench.violation(),
              {"[remset]", "objects::Node", "field left", "->", "the outer scope", "the inner scope", "not recorded"}));
}

TEST_CASE("a reference between lineages that is not recorded is found") {
    Bench bench;
    DetachedScope one(bench.heap, "one");
    DetachedScope two(bench.heap, "two");
    auto a = one.make<Node>();
    auto b = two.make<Node>();
    const RawWrite bad(&a->left, b.get());
    CHECK(has(bench.violation(), {"[remset]", "one", "two"}));
}

TEST_CASE("a bad reference in an array is found with its element") {
    Bench bench;
    auto array = make_array<Ref<Node>>(100);
    const RawWrite bad(&(*array)[57], std::uintptr_t{0xbad0});
    CHECK(has(bench.violation(), {"Array", "objects::Node", "element 57", "->"}));
}

TEST_CASE("a bad reference in an array of structures is found with element and offset") {
    struct Entry {
        std::int64_t key;
        Ref<Node> value;
    };
    Bench bench;
    auto array = make_array<Entry>(100);
    const RawWrite bad(&(*array)[3].value, std::uintptr_t{0xbad0});
    CHECK(has(bench.violation(), {"Array", "Entry", "element 3", "offset 8", "->"}));
}

TEST_CASE("a header that no object has is found, with its scope") {
    Bench bench;
    Scope scope{"spoilt"};
    auto node = make<Node>();
    const RawWrite bad(&detail::header_of(node.get()), detail::make_header(detail::kTypeLimit - 1, 4));
    const VerifyReport report = bench.heap.verify();
    REQUIRE_FALSE(report.ok());
    CHECK(has(report.violations.front(), {"header", "spoilt"}));
}

TEST_CASE("a handle to no object is found") {
    Bench bench;
    auto node = make<Node>();
    const RawWrite bad(&detail::HandleAccess::node(node).object, reinterpret_cast<const char*>(node.get()) + 8);
    CHECK(has(bench.violation(), {"[stale]", "andle", "not the start of a live object"}));
}

TEST_CASE("a handle in the list of another scope is found") {
    Bench bench;
    Scope outer{"outer"};
    auto a = make<Node>();
    Scope inner{"inner"};
    auto b = make<Node>();
    const RawWrite bad(&detail::HandleAccess::node(b).object, a.get());
    CHECK(has(bench.violation(), {"[remset]", "outer", "inner"}));
}

TEST_CASE("a broken list of handles is found") {
    Bench bench;
    Scope scope{"broken"};
    auto a = make<Node>();
    auto b = make<Node>();
    const RawWrite bad(&detail::HandleAccess::node(a).previous, &detail::HandleAccess::node(a));
    CHECK(has(bench.violation(), {"[remset]", "broken"}));
}

TEST_CASE("a span with another region's stamp is found") {
    Bench bench;
    Scope scope{"stamped"};
    auto node = make<Node>();
    const std::uint32_t page = inspect::core().pages.page_of(node.get());
    const std::uint32_t right = inspect::region(node.get()).index;
    inspect::core().pages.stamp_region(page, 1, detail::kRootRegion);
    const VerifyReport report = bench.heap.verify();
    inspect::core().pages.stamp_region(page, 1, right);
    REQUIRE_FALSE(report.ok());
    CHECK(has(report.violations.front(), {"[park]", "stamped"}));
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("recorded slots that a scope's end would not look at are found") {
    Bench bench;
    auto parent = make<Node>();
    Scope scope{"overlooked"};
    parent->left = make_raw<Node>();
    const std::uint32_t attention = std::exchange(inspect::region(parent->left).attention, 0u);
    const VerifyReport report = bench.heap.verify();
    inspect::region(parent->left).attention = attention;
    REQUIRE_FALSE(report.ok());
    CHECK(has(report.violations.front(), {"[remset]", "overlooked"}));
}

TEST_CASE("a destructor that is due for what is no object is found") {
    Bench bench;
    std::vector<int> log;
    Scope scope{"destructors"};
    auto mortal = make<objects::Mortal>(log, 1);
    const RawWrite bad(&detail::header_of(mortal.get()), detail::make_header(detail::kFillerType, 4));
    const VerifyReport report = bench.heap.verify();
    const bool named = std::any_of(report.violations.begin(), report.violations.end(), [](const std::string& line) {
        return line.find("destructor") != std::string::npos && line.find("destructors") != std::string::npos;
    });
    CHECK(named);
}

TEST_CASE("at most twenty violations are listed") {
    Bench bench;
    auto array = make_array<Ref<Node>>(100);
    std::memset(static_cast<void*>(array->data()), 0x11, 800);
    CHECK(bench.heap.verify().violations.size() == 20);
    std::memset(static_cast<void*>(array->data()), 0, 800);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a word that was not declared and looks like a reference is counted") {
    struct Hides {
        Ref<Node> declared;
        std::uintptr_t hidden;
    };
    Bench bench;
    auto node = make<Node>();
    make_raw<Hides>(node, reinterpret_cast<std::uintptr_t>(node.get()));
    const VerifyReport report = bench.heap.verify();
    CHECK(report.ok());
    CHECK(report.suspicious_words == 1);
    CHECK(bench.heap.stats().suspicious_words() >= 1);
}
