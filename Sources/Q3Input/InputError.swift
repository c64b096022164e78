// What keeps an input from being read.

package enum InputError: Error, Equatable {
    case cannotOpen(_ name: String, code: CInt)
    case directory(_ name: String)
    case cannotRead(_ name: String, code: CInt)
}
