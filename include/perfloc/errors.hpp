#pragma once

#include <perfloc/detail/export.hpp>

#include <new>
#include <stdexcept>
#include <string>

/// What perfloc throws. Each message is one line that names the scope's label or the type. After any of these the heap
/// is usable and nothing is lost. Misuse that cannot be reported by a throw (in a destructor, in the barrier) prints one
/// line that begins with "perfloc: " to the standard error stream and aborts.
namespace perfloc {

class PERFLOC_API Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The system granted no address range, or too small a one.
class PERFLOC_API ReservationError : public Error {
public:
    using Error::Error;
};

/// A scope was ended twice, out of order, entered twice, or opened where none may be.
class PERFLOC_API ScopeError : public Error {
public:
    using Error::Error;
};

/// A thread allocates without a mutator, attaches twice, or to a second heap.
class PERFLOC_API AttachError : public Error {
public:
    using Error::Error;
};

/// The length of an array is negative, or its bytes overflow.
class PERFLOC_API LengthError : public Error {
public:
    using Error::Error;
};

/// An option's value makes no sense.
class PERFLOC_API OptionError : public Error {
public:
    using Error::Error;
};

/// The heap's limit does not allow the allocation. Only allocation throws it, never the end of a scope.
class PERFLOC_API OutOfMemory : public std::bad_alloc {
public:
    explicit OutOfMemory(std::string message) : message_(std::move(message)) {}
    const char* what() const noexcept override { return message_.c_str(); }

private:
    std::string message_;
};

/// One object is larger than the reservation or the limit can ever hold.
class PERFLOC_API ObjectTooLarge : public OutOfMemory {
public:
    using OutOfMemory::OutOfMemory;
};

}  // namespace perfloc
