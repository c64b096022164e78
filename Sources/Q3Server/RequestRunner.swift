// How a handler is run: its body read and checked, its route chosen, its client watched.
#if Server
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Runs handlers for as many requests at once as the options allow.
struct RequestRunner: Sendable {
    private let options: ServerOptions
    private let metrics: ServerMetrics
    private let requestsInFlight = RequestsInFlight()

    init(options: ServerOptions, metrics: ServerMetrics) {
        self.options = options
        self.metrics = metrics
    }

    /// The answer of the first candidate whose condition holds; errors come with the family that words them.
    func respond(
        to request: Request, context: ServerContext, candidates: [RouteTable.Entry]
    ) async throws -> Response {
        guard let last = candidates.last else { throw HTTPError(.notFound) }
        do {
            guard request.method == .post else {
                return try await last.route.handler(call(request, context, body: JSONBody())).response
            }
            guard requestsInFlight.enter(limit: options.requestLimit) else {
                throw APIError(.overloaded(retryAfter: 1), "Model is overloaded")
            }
            metrics.requestBegan()
            var data = Data()
            defer {
                requestsInFlight.leave(bodyBytes: data.count)
                metrics.requestEnded()
            }
            try checkType(of: request, any: last.route.takesAnyContentType)
            try await read(request, into: &data)
            return try await whileConnected(context.connection) { [data] in
                try await answer(to: request, context: context, data: data, candidates: candidates)
            }
        } catch let error where error is HTTPParserError || error is FamilyError {
            throw error
        } catch {
            throw FamilyError(family: last.family, error: APIError(error))
        }
    }

    private func answer(
        to request: Request, context: ServerContext, data: Data, candidates: [RouteTable.Entry]
    ) async throws -> Response {
        let conditions = candidates.map(\.route.condition)
        let body = try JSONBody(checking: data, lookingFor: conditions.flatMap { $0.present + $0.absent })
        guard let chosen = candidates.first(where: { $0.route.condition.holds(for: body) }) ?? candidates.last else {
            throw HTTPError(.notFound)
        }
        do throws(APIError) {
            var answer = try await chosen.route.handler(call(request, context, body: body))
            if let timing = answer.timing {
                context.record.computed(tokens: timing.tokens)
                answer.response.headers.append(contentsOf: chosen.family.headers(timing))
            }
            return answer.response
        } catch {
            throw FamilyError(family: chosen.family, error: error)
        }
    }

    private func call(_ request: Request, _ context: ServerContext, body: JSONBody) -> APIRequest {
        var limit = options.requestTimeout
        if let given = request.headers[.requestTimeout].flatMap(Double.init), given > 0, given < limit / .seconds(1) {
            limit = .seconds(given)
        }
        return APIRequest(
            headers: request.headers, parameters: context.parameters, body: body, arrival: context.arrival,
            deadline: context.arrival + limit, id: context.id)
    }

    private func checkType(of request: Request, any: Bool) throws(APIError) {
        if let coding = request.headers[.transferEncoding], coding.lowercased() != "chunked" {
            throw APIError(.transferCoding, "the only transfer coding that is read is chunked")
        }
        if let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" {
            throw APIError(.mediaType, "compressed bodies are not read; send the JSON as it is")
        }
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased() ?? ""
        guard any || type.filter({ $0 != " " }) == "application/json" else {
            throw APIError(.mediaType, "Content-Type must be application/json")
        }
    }

    private func read(_ request: Request, into data: inout Data) async throws {
        let limit = options.bodyLimit
        let tooLarge = APIError(.bodyTooLarge, "the body is larger than the \(limit) bytes that this server reads")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge }
        for try await part in request.body {
            guard data.count + part.readableBytes <= limit else { throw tooLarge }
            // Many large bodies at once would fill the memory before any of them is looked at.
            guard requestsInFlight.hold(part.readableBytes, limit: Self.bodiesAtOnce * limit) else {
                throw APIError(.overloaded(retryAfter: 1), "Model is overloaded: too many large requests at once")
            }
            data.append(contentsOf: part.readableBytesView)
        }
    }

    /// Bodies of the largest size that are held together.
    private static let bodiesAtOnce = 8

    /// Runs `work` until it is done or its client is gone.
    private func whileConnected(
        _ connection: ConnectionLife?, _ work: @escaping @Sendable () async throws -> Response
    ) async throws -> Response {
        let task = Task(executorPreference: RequestExecutor.shared, operation: work)
        connection?.whenOver { task.cancel() }
        defer { connection?.whenOver(nil) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}

/// An error and the family in whose form it is reported.
struct FamilyError: Error {
    let family: APIFamily
    let error: APIError
}

/// How many requests are being answered, and how many bytes of theirs are held.
private final class RequestsInFlight: Sendable {
    private let state = Mutex((requests: 0, bytes: 0))

    func enter(limit: Int) -> Bool {
        state.withLock { state in
            guard state.requests < limit else { return false }
            state.requests += 1
            return true
        }
    }

    func hold(_ bytes: Int, limit: Int) -> Bool {
        state.withLock { state in
            guard state.bytes + bytes <= limit else { return false }
            state.bytes += bytes
            return true
        }
    }

    func leave(bodyBytes: Int) {
        state.withLock { state in
            state.requests -= 1
            state.bytes -= bodyBytes
        }
    }
}
#endif
