// Errors as answers, in the form of the family whose route was called.
#if Server
import Hummingbird
import NIOHTTP1

struct ErrorResponses: RouterMiddleware {
    let table: RouteTable
    let metrics: ServerMetrics

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPParserError {
            throw error  // what follows on the connection cannot be read; Hummingbird answers 400 and closes it
        } catch {
            let form = (error as? FamilyError)?.family.errors ?? table.family(request)?.errors ?? .openAI
            let error =
                switch error {
                case let error as FamilyError: error.error
                case is HTTPError: table.error(request)
                default: APIError(error)
                }
            metrics.failed(error.kind)
            return form.response(to: error)
        }
    }
}
#endif
