// A line of log and a count for each answer.
#if Server
import HTTPTypes
import Hummingbird
import Logging

struct AccessLog: RouterMiddleware {
    let metrics: ServerMetrics

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        let response = try await next(request, context)
        let took = ContinuousClock.now - context.arrival
        // The pattern that matched and never the path itself: paths are the clients' to invent, and so are methods.
        let route = context.endpointPath ?? "none"
        let method = Self.usualMethods.contains(request.method) ? request.method.rawValue : "OTHER"
        metrics.answered(route: route, status: response.status.code, after: took)
        context.logger.info(
            "answered",
            metadata: [
                "id": .string(context.id), "method": .string(method), "route": .string(route),
                "status": .stringConvertible(response.status.code), "ms": .stringConvertible(took.milliseconds),
                "tokens": .stringConvertible(context.record.tokens),
            ])
        return response
    }

    private static let usualMethods: [HTTPRequest.Method] = [.get, .head, .post, .put, .delete, .options, .patch]
}
#endif
