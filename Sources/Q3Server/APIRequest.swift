// What a handler gets and what it gives back.
#if Server
import HTTPTypes
import Hummingbird
import NIOCore

/// What a handler knows of its request.
struct APIRequest: Sendable {
    let headers: HTTPFields
    let parameters: Parameters
    let body: JSONBody
    let arrival: ContinuousClock.Instant
    let deadline: ContinuousClock.Instant
    /// Names the request in the log and in the answers of the families that have ids.
    let id: String

    func decode<Body: Decodable>(_ type: Body.Type) throws(APIError) -> Body { try body.decode(type) }
}

/// An answer, and how long its parts took where something was computed.
struct APIResponse: Sendable {
    var response: Response
    var timing: Timing?

    init(_ response: Response) { self.response = response }

    init(json body: some Encodable, timing: Timing? = nil) throws(APIError) {
        let bytes: ByteBuffer
        do {
            bytes = try JSON.bytes(of: body)
        } catch {
            throw APIError(.nonFinite, "the answer holds a value that is not a finite number")
        }
        response = Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: bytes))
        self.timing = timing
    }

    init(text: String, type: String = "text/plain; charset=utf-8") {
        response = Response(
            status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

extension HTTPField.Name {
    static let requestID = Self("x-request-id")!
    static let requestTimeout = Self("x-request-timeout")!
    static let apiKey = Self("x-api-key")!
    static let contentTypeOptions = Self("x-content-type-options")!
}
#endif
