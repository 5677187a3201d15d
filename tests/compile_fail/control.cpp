// EXPECT-SUCCESS
// What the other cases do wrong, done right: each of their refusals is of the one thing that they change.
#include <perfloc/perfloc.hpp>
#include <array>
#include <complex>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

struct Number {
    int value;
};
template <>
inline constexpr bool perfloc::managed<Number> = true;

class Opaque {
public:
    int get() const { return number_; }

private:
    int number_ = 0;
};
template <>
inline constexpr bool perfloc::holds_no_refs<Opaque> = true;

struct Unmanaged {
    char text[16];
};
enum class Color { red, green };

struct Inner {
    std::array<perfloc::Ref<Number>, 2> numbers;
    Color color;
};
struct Node {
    perfloc::Ref<Node> next;
    perfloc::Ref<Number> number;
    perfloc::Ref<perfloc::Array<int>> array;
    std::array<perfloc::Ref<Node>, 4> kids;
    std::array<char, 16> name;
    Inner inner;
    Opaque opaque;
    std::string text;
    std::optional<int> maybe;
    std::variant<int, std::string> either;
    std::vector<std::string> texts;
    std::unordered_map<int, double> table;
    std::unique_ptr<int> owned;
    std::complex<double> z;
    const Unmanaged* unmanaged;
    void (*callback)(Node*);
    ~Node() {}
};

struct Base {
    perfloc::Ref<Node> node;
};
class Derived : public Base, public Unmanaged {
public:
    explicit Derived(int n) : number_(n) {}
    void trace(perfloc::Tracer& tracer) const { tracer(node, kids_); }

private:
    perfloc::Ref<Node> kids_[4];
    unsigned number_ : 5;
};
struct Holder {
    perfloc::Ref<Base> base;
    perfloc::Ref<const Node> read;
};

void f(Node* n, Derived* derived) {
    perfloc::make_raw<Node>();
    perfloc::make_raw<Derived>(1);
    perfloc::make_raw<Holder>(derived, n);
    perfloc::make_raw_array<perfloc::Ref<Node>>(3);
    perfloc::make_raw_array<Inner>(3u);
    Node* next = n->next;
    n->next = next;
    perfloc::Handle<Base> handle(derived);
    perfloc::Scope scope{"literal"};
    perfloc::Scope named{perfloc::Label::intern(std::string("made at run time"))};
}
