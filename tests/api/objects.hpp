#pragma once

#include <perfloc/perfloc.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// The managed types that the tests share.
namespace objects {

using namespace perfloc::literals;

struct Node {
    perfloc::Ref<Node> left, right;
    int value = 0;
};

struct Leaf {
    std::int64_t value = 0;
};

/// Writes its name down when it dies; `log` outlives it.
class Mortal {
public:
    Mortal(std::vector<int>& log, int name, Mortal* next = nullptr) : next_(next), log_(&log), name_(name) {}
    Mortal(const Mortal&) = delete;
    Mortal& operator=(const Mortal&) = delete;
    ~Mortal() { log_->push_back(name_); }
    void trace(perfloc::Tracer& tracer) const { tracer(next_); }

    int name() const { return name_; }
    Mortal* next() const { return next_; }
    void refer_to(Mortal* other) { next_ = other; }

private:
    perfloc::Ref<Mortal> next_;
    std::vector<int>* log_;
    int name_;
};

/// Pinned by its type: a short string points into itself.
class Named {
public:
    explicit Named(std::string name, Named* next = nullptr) : next_(next), name_(std::move(name)) {}
    void trace(perfloc::Tracer& tracer) const { tracer(next_); }
    const std::string& name() const { return name_; }
    Named* next() const { return next_; }

private:
    perfloc::Ref<Named> next_;
    std::string name_;
};

/// A list of `length` nodes, the last made first.
inline Node* chain(int length) {
    Node* head = nullptr;
    for (int i = length; i > 0; --i) head = perfloc::make_raw<Node>(head, nullptr, i);
    return head;
}
inline int length(const Node* head) {
    int n = 0;
    for (; head != nullptr; head = head->left) ++n;
    return n;
}

/// Calls a function when it dies, which outlives it.
class Last {
public:
    explicit Last(std::function<void()>* run) noexcept : run_(run) {}
    Last(const Last&) = delete;
    Last& operator=(const Last&) = delete;
    ~Last() { (*run_)(); }
    void trace(perfloc::Tracer&) const {}

private:
    std::function<void()>* run_;
};

inline perfloc::Options small(perfloc::Collector collector = perfloc::Collector::hinted) {
    return {.reserve = 256_MiB, .limit = 64_MiB, .collector = collector};
}

}  // namespace objects
