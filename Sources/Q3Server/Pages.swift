// The pages that are for people.
#if Server
    import CPages
    import HTTPTypes
    import Hummingbird
    import NIOCore

    /// The files of `Sources/CPages`, which the compiler puts into the program so that it needs no folder beside it.
    struct Pages: Sendable {
        let ui = unsafe page(q3_page_ui(), "text/html; charset=utf-8")
        let docs = unsafe page(q3_page_docs(), "text/html; charset=utf-8")
        let openAPI = unsafe page(q3_page_openapi(), "application/json")

        private static func page(_ page: q3_page, _ type: String) -> Response {
            let bytes = unsafe UnsafeRawBufferPointer(start: page.bytes, count: page.count)
            return unsafe Response(
                status: .ok,
                headers: [
                    .contentType: type,
                    .contentSecurityPolicy:
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        }
    }
#endif
