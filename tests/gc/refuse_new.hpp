#pragma once

#include <cstdint>

namespace support {

/// While it lives, operator new refuses the calling thread memory, from the call of this number on (0: all of them). In programs that
/// are linked with refuse_new.cpp.
class RefuseNew {
public:
    explicit RefuseNew(std::uint64_t from);
    ~RefuseNew();
    RefuseNew(const RefuseNew&) = delete;
    RefuseNew& operator=(const RefuseNew&) = delete;

    /// How often it was refused.
    std::uint64_t refused() const;
};

}  // namespace support
