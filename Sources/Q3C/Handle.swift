// What a C pointer to a model or a ticket stands for: a number that is looked up, so that a stale one is an error.
import Synchronization

/// Values by the handles that C programs hold.
///
/// A handle is not an address: it is never followed, and a number is used once, so that a closed handle is detected.
struct HandleTable<Value: Sendable>: ~Copyable {
    private struct State {
        var values: [UInt: Value] = [:]
        var last: UInt = 0
    }

    private let state = Mutex(State())

    func add(_ value: Value) -> OpaquePointer? {
        unsafe state.withLock { state in
            state.last += 16  // looks like a pointer to a debugger, and is never NULL
            state.values[state.last] = value
            return unsafe OpaquePointer(bitPattern: state.last)
        }
    }

    subscript(handle: OpaquePointer?) -> Value? {
        state.withLock { $0.values[UInt(bitPattern: handle)] }
    }

    func remove(_ handle: OpaquePointer?) {
        // The value may end here, and its end may take time: not under the lock.
        _ = state.withLock { $0.values.removeValue(forKey: UInt(bitPattern: handle)) }
    }
}

/// The models that are open.
let models = HandleTable<OpenModel>()

/// The tickets that are open.
let tickets = HandleTable<Ticket>()

/// The adapters that are open.
let adapters = HandleTable<OpenAdapter>()
