// One request on its way through a handler.
#if Server
    import HTTPTypes
    import Hummingbird
    import NIOCore

    #if canImport(FoundationEssentials)
        import FoundationEssentials
    #else
        import Foundation
    #endif

    /// What a handler knows of its request.
    struct Call: Sendable {
        let path: String
        let headers: HTTPFields
        let parameters: Parameters
        let body: Data
        let arrival: ContinuousClock.Instant
        let deadline: ContinuousClock.Instant
        /// Names the request in the log and in the answers of the families that have ids.
        let id: String

        func decode<Body: Decodable>(_ type: Body.Type) throws(Fault) -> Body {
            try JSON.decode(type, from: body)
        }
    }

    extension Response {
        /// An answer in JSON, with the timing headers of Text Embeddings Inference where something was computed.
        init(json body: some Encodable, timing: Timing? = nil) throws(Fault) {
            let data: Data
            do {
                data = try JSON.encoder.encode(body)
            } catch {
                throw Fault(.nonFinite, "the answer holds a value that is no finite number")
            }
            var headers: HTTPFields = [.contentType: "application/json"]
            if let timing {
                headers[.computeType] = "cpu"
                headers[.computeTime] = "\(timing.total.milliseconds)"
                headers[.totalTime] = "\(timing.total.milliseconds)"
                headers[.tokenizationTime] = "\(timing.tokenization.milliseconds)"
                headers[.queueTime] = "\(timing.queue.milliseconds)"
                headers[.inferenceTime] = "\(timing.inference.milliseconds)"
                headers[.computeCharacters] = "\(timing.characters)"
                headers[.computeTokens] = "\(timing.tokens)"
            }
            self.init(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
        }

        init(text: String, type: String = "text/plain; charset=utf-8") {
            self.init(
                status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
    }

    extension HTTPField.Name {
        static let computeType = Self("x-compute-type")!
        static let computeTime = Self("x-compute-time")!
        static let totalTime = Self("x-total-time")!
        static let tokenizationTime = Self("x-tokenization-time")!
        static let queueTime = Self("x-queue-time")!
        static let inferenceTime = Self("x-inference-time")!
        static let computeCharacters = Self("x-compute-characters")!
        static let computeTokens = Self("x-compute-tokens")!
        static let requestID = Self("x-request-id")!
        static let requestTimeout = Self("x-request-timeout")!
        static let apiKey = Self("x-api-key")!
    }

    extension Duration {
        /// Whole milliseconds.
        var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
    }
#endif
