#include "support/catch.hpp"

#include "api/objects.hpp"
#include "death/child.hpp"
#include "runtime/type_table.hpp"

#include <array>
#include <complex>
#include <optional>
#include <string>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;
using objects::Node;

namespace {

struct Inner {
    int number;
    Ref<Node> ref;
};
struct Nested {
    char c;
    Inner one;
    std::array<Inner, 2> two;
    std::array<std::array<Ref<Node>, 2>, 2> grid;
};
struct Wide {
    std::array<double, 63> numbers;
    std::array<Ref<Node>, 3> refs;  // words 63, 64 and 65
};
struct Plain {
    std::array<char, 13> text;
    std::complex<double> z;
    void (*callback)(int);
    const int* unmanaged;
};
struct WithString {
    std::string text;
    Ref<Node> ref;
};
struct alignas(64) Aligned {
    Ref<Node> ref;
};
class Secretive {
public:
    void trace(Tracer& tracer) const { tracer(b_, a_, many_, inner_); }

private:
    class Part {
    public:
        void trace(Tracer& tracer) const { tracer(ref_); }

    private:
        [[maybe_unused]] double number_ = 0;
        Ref<Node> ref_;
    };
    Ref<Node> a_;
    [[maybe_unused]] int number_ = 0;
    Ref<Node> b_;
    Ref<Node> many_[3];
    std::array<Part, 2> inner_;
};
class Twice {
public:
    void trace(Tracer& tracer) const { tracer(a_, b_, a_); }

private:
    Ref<Node> a_, b_;
};
class Outside {
public:
    void trace(Tracer& tracer) const { tracer(other()); }

private:
    static Ref<Node>& other() {
        static Ref<Node> elsewhere;
        return elsewhere;
    }
    Ref<Node> a_;
};

template <class T>
const TypeInfo& info_of() {
    return type_info(header_type(header_for<T>()));
}
template <class T>
const TypeShape& shape_of() {
    return type_shapes()[header_type(header_for<T>())];
}

}  // namespace

TEST_CASE("the fields of an aggregate are found by reflection, however deep") {
    const std::vector<std::uint32_t> expected{offsetof(Nested, one) + offsetof(Inner, ref),
                                              offsetof(Nested, two) + offsetof(Inner, ref),
                                              offsetof(Nested, two) + sizeof(Inner) + offsetof(Inner, ref),
                                              offsetof(Nested, grid),
                                              offsetof(Nested, grid) + 8,
                                              offsetof(Nested, grid) + 16,
                                              offsetof(Nested, grid) + 24};
    CHECK(info_of<Nested>().ref_offsets == expected);
    CHECK(info_of<Nested>().movable);
    CHECK(info_of<Nested>().payload_bytes == sizeof(Nested));
    CHECK(info_of<Node>().ref_offsets == std::vector<std::uint32_t>{0, 8});
}

TEST_CASE("a class that is no aggregate says where its references are") {
    CHECK(info_of<Secretive>().ref_offsets == std::vector<std::uint32_t>{0, 16, 24, 32, 40, 56, 72});
    CHECK_FALSE(info_of<Secretive>().movable);
}

TEST_CASE("a type without references has none") {
    CHECK(info_of<Plain>().ref_offsets.empty());
    CHECK_FALSE(shape_of<Plain>().has_refs);
    CHECK(info_of<Plain>().movable);
    CHECK(info_of<Plain>().destroy == nullptr);
}

TEST_CASE("a string pins its object and gives it a destructor") {
    CHECK_FALSE(info_of<WithString>().movable);
    CHECK(info_of<WithString>().destroy != nullptr);
    CHECK(shape_of<WithString>().destructor);
    CHECK(info_of<WithString>().ref_offsets == std::vector<std::uint32_t>{offsetof(WithString, ref)});
}

TEST_CASE("an over-aligned type does not move") {
    CHECK_FALSE(info_of<Aligned>().movable);
    CHECK(info_of<Aligned>().alignment == 64);
}

TEST_CASE("references beyond word 63 are visited too") {
    REQUIRE(shape_of<Wide>().many_refs);
    CHECK_FALSE(shape_of<Node>().many_refs);
    alignas(8) char storage[8 + sizeof(Wide)] = {};
    void* const object = storage + 8;
    std::vector<std::size_t> offsets;
    for_each_ref(object, header_for<Wide>(), type_shapes(), [&](std::atomic<void*>& slot) {
        offsets.push_back(static_cast<std::size_t>(reinterpret_cast<char*>(&slot) - static_cast<char*>(object)));
    });
    CHECK(offsets == std::vector<std::size_t>{504, 512, 520});
}

TEST_CASE("every reference of every element of an array is visited") {
    Heap heap(objects::small());
    Mutator me(heap);
    auto array = make_array<Inner>(5);
    std::vector<const void*> visited;
    for_each_ref(array.get(), header_of(array.get()), type_shapes(),
                 [&](std::atomic<void*>& slot) { visited.push_back(&slot); });
    REQUIRE(visited.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) CHECK(visited[i] == static_cast<const void*>(&(*array)[i].ref));
    auto wide = make_array<Wide>(3);
    visited.clear();
    for_each_ref(wide.get(), header_of(wide.get()), type_shapes(),
                 [&](std::atomic<void*>& slot) { visited.push_back(&slot); });
    REQUIRE(visited.size() == 9);
    CHECK(visited[4] == static_cast<const void*>(&(*wide)[1].refs[1]));
}

TEST_CASE("a type is described once, and its name is the compiler's without decoration") {
    const std::uint32_t before = type_count();
    const Header header = header_for<Node>();
    CHECK(header_for<Node>() == header);
    CHECK(type_count() <= before + 1);
    CHECK(std::string(info_of<Node>().name).find("objects::Node") != std::string::npos);
    CHECK(std::string(type_info(header_type(array_header_for<int>())).name).find("Array<int>") != std::string::npos);
    CHECK(type_info(kFillerType).name == "(filler)");
    CHECK(type_info(kTypeLimit + 5).name == "(filler)");
}

TEST_CASE("a header holds type and count") {
    const Header header = make_header(kTypeLimit - 1, kCountMask);
    CHECK(header_type(header) == kTypeLimit - 1);
    CHECK(header_count(header) == kCountMask);
    CHECK((header & 15) == 0);
    CHECK(object_bytes(make_header(kFillerType, 7), type_shapes()) == 56);
}

TEST_CASE("an object's size counts its header, storage behind it and rounding, and is two words at least") {
    Heap heap(objects::small());
    Mutator me(heap);
    const auto bytes = [](const auto* object) { return object_bytes(header_of(object), type_shapes()); };
    CHECK(bytes(make_raw<Node>()) == 8 + sizeof(Node));
    CHECK(bytes(make_raw<objects::Leaf>(ExtraBytes{13}, 1)) == 8 + 8 + 16);
    CHECK(bytes(make_raw_array<char>(0)) == 16);
    CHECK(bytes(make_raw_array<char>(9)) == 24);
    CHECK(bytes(make_raw_array<Inner>(3)) == 8 + 3 * sizeof(Inner));
}

TEST_CASE("trace() that names the same reference twice aborts and names the type") {
    const death::Child child = death::run([] { header_for<Twice>(); });
    INFO(child.err);
    CHECK(child.died_saying({"trace()", "Twice", "twice"}));
}

TEST_CASE("trace() that names something outside its object aborts and names the type") {
    const death::Child child = death::run([] { header_for<Outside>(); });
    INFO(child.err);
    CHECK(child.died_saying({"trace()", "Outside", "outside"}));
}
