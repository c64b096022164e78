// Text Embeddings Inference's routes from texts to tokens and back.
#if Server
import Hummingbird
import NIOCore
import Q3Tokenizer

private struct TEITokenizeRequest: Decodable {
    var inputs: OneOrMany
    var addSpecialTokens: Flag?
    var promptName: String?
}

private struct TEIDecodeRequest: Decodable {
    struct IDs: Decodable {
        let lists: [[Int32]]

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let ids = try? value.decode([Int32].self) {
                lists = [ids]
            } else {
                lists = try value.decode([[Int32]].self)
            }
        }
    }

    var ids: IDs
    var skipSpecialTokens: Flag?
}

extension TextEmbeddingsInference {
    /// Each token with the bytes of the text that it stands for. The answer is written as text at once: a value for each
    /// token in between would take many times its memory.
    func tokenize(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(TEITokenizeRequest.self)
        let served = try backend.models.model()
        let prompt = try TextPrompt(named: body.promptName, field: "prompt_name")
        let closes = body.addSpecialTokens?.value != false
        var json = ByteBuffer(string: "[")
        var room = backend.options.queuedTokenLimit
        for (index, text) in body.inputs.texts.enumerated() {
            let text = prompt?.applied(to: text, for: served.embedder) ?? text
            room -= try backend.tokens(text, of: served, field: "inputs", closing: closes, limit: room).count
            if index > 0 { json.writeString(",") }
            json.writeTokens(text, of: served, closes: closes)
            await Task.yield()
            if Task.isCancelled { throw APIError(CancellationError()) }
        }
        json.writeString("]")
        return APIResponse(
            Response(
                status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: json)))
    }

    func decode(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(TEIDecodeRequest.self)
        let served = try backend.models.model()
        guard body.ids.lists.contains(where: { !$0.isEmpty }) else {
            throw APIError(.empty, "`ids` cannot be empty", param: "ids")
        }
        var texts: [String] = []
        for (index, ids) in body.ids.lists.enumerated() {
            do {
                texts.append(try served.tokenizer.decode(ids, skipSpecial: body.skipSpecialTokens?.value ?? true))
            } catch {
                throw APIError(error, at: "ids[\(index)]")
            }
        }
        return try APIResponse(json: texts)
    }
}

extension ByteBuffer {
    /// A list of `{"id", "text", "special", "start", "stop"}`.
    fileprivate mutating func writeTokens(_ text: String, of served: ServedModel, closes: Bool) {
        let tokenizer = served.tokenizer
        var separator = "["
        func piece(_ id: Int32) -> String { JSON.text(String(decoding: tokenizer.piece(id), as: UTF8.self)) }
        for token in tokenizer.encodeWithOffsets(text) {
            writeString("\(separator){\"id\":\(token.id),\"text\":\(piece(token.id)),")
            writeString("\"special\":\(tokenizer.isSpecial(token.id)),")
            writeString("\"start\":\(token.range.lowerBound),\"stop\":\(token.range.upperBound)}")
            separator = ","
        }
        if closes, served.isEmbedder, let end = tokenizer.endOfTextID {
            writeString(
                "\(separator){\"id\":\(end),\"text\":\(piece(end)),\"special\":true,\"start\":null,\"stop\":null}")
            separator = ","
        }
        writeString(separator == "[" ? "[]" : "]")
    }
}
#endif
