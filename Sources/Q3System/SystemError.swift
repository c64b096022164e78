// An error of the operating system.

/// The `errno` of a call that failed.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    package let code: CInt

    package init(code: CInt) { self.code = code }

    /// The error of the call that has just failed.
    package static var last: SystemError { SystemError(code: errno) }

    /// The system's words for it, "No such file or directory".
    package var description: String { unsafe String(cString: strerror(code)) }
}
