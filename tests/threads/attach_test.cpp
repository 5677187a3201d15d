#include "support/catch.hpp"

#include "api/objects.hpp"

#include <atomic>
#include <thread>

using namespace perfloc;
using objects::Node;

TEST_CASE("threads: those that attach at once are mutators one after the other") {
    Heap heap(objects::small());
    std::atomic<int> inside{0}, attached{0}, both{0};
    const auto attach_often = [&] {
        for (int i = 0; i < 3000; ++i) {
            try {
                const Mutator me(heap);
                both += inside.fetch_add(1) != 0;
                ++attached;
                make<Node>();
                inside.fetch_sub(1);
            } catch (const AttachError&) {
                std::this_thread::yield();
            }
        }
    };
    std::thread other(attach_often);
    attach_often();
    other.join();
    CHECK(attached > 0);
    CHECK(both == 0);
}
