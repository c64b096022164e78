// Probes, metrics and the pages that are for people.
#if Server
import CPages
import HTTPTypes
import Hummingbird
import NIOCore
import Q3Model
import Q3System

extension APIFamily {
    /// What operators and people look at, beside the routes of the peers.
    static func pages(_ backend: Backend, registry: PrometheusRegistry) -> APIFamily {
        let metrics = ServerMetrics(factory: registry)
        let compare = unsafe Response(page: q3_page_compare(), "text/html; charset=utf-8")
        let search = unsafe Response(page: q3_page_search(), "text/html; charset=utf-8")
        let docs = unsafe Response(page: q3_page_docs(), "text/html; charset=utf-8")
        let openAPI = unsafe Response(page: q3_page_openapi(), "application/json")
        return APIFamily(
            errors: .openAI,
            routes: [
                .get("/health", "/v1/health", "/ready", "/ping", needsKey: false) { _ throws(APIError) in
                    _ = try backend.models.all()
                    return try APIResponse(json: ["status": "ok"])
                },
                .get("/live", needsKey: false) { _ throws(APIError) in try APIResponse(json: ["status": "ok"]) },
                .get("/version") { _ throws(APIError) in try APIResponse(json: ["version": Release.version]) },
                .get("/metrics", needsKey: false) { _ in
                    metrics.prefixCaches(of: (try? backend.models.all()) ?? [])
                    return APIResponse(text: registry.text, type: "text/plain; version=0.0.4; charset=utf-8")
                },
                // With an index it is a page to search it, without one there is nothing to search.
                .get("/ui", needsKey: false) { _ in APIResponse(backend.hasIndexes ? search : compare) },
                .get("/ui/compare", needsKey: false) { _ in APIResponse(compare) },
                .get("/docs", needsKey: false) { _ in APIResponse(docs) },
                .get("/openapi.json", needsKey: false) { _ in APIResponse(openAPI) },
            ])
    }
}

extension Response {
    /// A file of `Sources/CPages`, which the compiler puts into the program so that it needs no folder beside it.
    fileprivate init(page: q3_page, _ type: String) {
        let bytes = unsafe UnsafeRawBufferPointer(start: page.bytes, count: page.count)
        unsafe self.init(
            status: .ok,
            headers: [
                .contentType: type,
                .contentSecurityPolicy:
                    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
                    + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
#endif
