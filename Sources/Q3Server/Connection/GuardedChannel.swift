// A connection under guard, and how its requests learn that their client has gone.
#if Server
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// Whether the client of a connection is still there.
final class ConnectionLife: Sendable {
    private struct State {
        var isOver = false
        var action: (@Sendable () -> Void)?
    }

    /// That of the connection whose requests this task answers.
    @TaskLocal static var current: ConnectionLife?

    private let state = Mutex(State())

    /// Runs `action` once when the client leaves, at once if it is gone; nil cancels the last one.
    func whenOver(_ action: (@Sendable () -> Void)?) {
        let isOver = state.withLock { state in
            state.action = action
            return state.isOver
        }
        if isOver { action?() }
    }

    func end() {
        let action = state.withLock { state in
            state.isOver = true
            defer { state.action = nil }
            return state.action
        }
        action?()
    }
}

/// An HTTP/1 connection with a `ConnectionGuard`, whose life is at hand in the task that answers its requests.
struct GuardedChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let http: HTTP1Channel.Value
        let life: ConnectionLife
        var channel: any Channel { http.channel }
    }

    let http1: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        http1.setup(channel: channel, logger: logger).flatMapThrowing { http in
            let guardian = try channel.pipeline.syncOperations.handler(type: ConnectionGuard.self)
            return Value(http: http, life: guardian.life)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await ConnectionLife.$current.withValue(value.life) {
            await http1.handle(value: value.http, logger: logger)
        }
    }
}
#endif
