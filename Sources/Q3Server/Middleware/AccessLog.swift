// A line of log and a count for each answer.
#if Server
import HTTPTypes
import Hummingbird
import Logging
import Synchronization

struct AccessLog: RouterMiddleware {
    let metrics: ServerMetrics
    let logger: Logger
    private let refusals = RefusalLimit()

    init(metrics: ServerMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        let response = try await next(request, context)
        let took = ContinuousClock.now - context.arrival
        // The pattern that matched and never the path itself: paths are the clients' to invent, and so are methods.
        let route = context.endpointPath ?? "none"
        let status = response.status.code
        metrics.answered(route: route, status: status, after: took)
        if Self.refusalStatuses.contains(status) {
            let (isLogged, unlogged) = refusals.admit(at: .now)
            if unlogged > 0 {
                logger.warning("refused requests that were not logged", metadata: ["count": "\(unlogged)"])
            }
            guard isLogged else { return response }
        }
        let method = Self.usualMethods.contains(request.method) ? request.method.rawValue : "OTHER"
        logger.info(
            "answered",
            metadata: [
                "id": .string(context.id), "method": .string(method), "route": .string(route),
                "status": .stringConvertible(status), "ms": .stringConvertible(took.milliseconds),
                "tokens": .stringConvertible(context.record.tokens),
            ])
        return response
    }

    /// What anybody can cause at any rate: wrong keys, hosts and origins, paths that do not exist.
    private static let refusalStatuses = [401, 403, 404, 405]
    private static let usualMethods: [HTTPRequest.Method] = [.get, .head, .post, .put, .delete, .options, .patch]
}

/// Lets so many refusals into the log in a period, and counts the others.
final class RefusalLimit: Sendable {
    private struct State {
        var periodStart: ContinuousClock.Instant?
        var logged = 0
        var unlogged = 0
    }

    private static let period = Duration.seconds(10)
    private static let linesPerPeriod = 20

    private let state = Mutex(State())

    /// Whether this refusal is logged, and how many before it were not since this was last asked.
    func admit(at now: ContinuousClock.Instant) -> (isLogged: Bool, unlogged: Int) {
        state.withLock { state in
            var unlogged = 0
            if state.periodStart.map({ now - $0 >= Self.period }) ?? true {
                unlogged = state.unlogged
                state = State(periodStart: now)
            }
            guard state.logged < Self.linesPerPeriod else {
                state.unlogged += 1
                return (false, unlogged)
            }
            state.logged += 1
            return (true, unlogged)
        }
    }
}
#endif
