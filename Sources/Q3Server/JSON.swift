// Bodies to values and back, with errors that name the field.
#if Server
    #if canImport(FoundationEssentials)
        import FoundationEssentials
    #else
        import Foundation
    #endif

    enum JSON {
        /// Deeper bodies are refused before they are parsed.
        static let depthLimit = 64

        static var encoder: JSONEncoder {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            return encoder
        }

        /// Reads a request's body. Unknown fields are ignored and `null` is the same as leaving a field out, since clients
        /// send both. Throws a `Fault` that names the first field that is wrong.
        static func decode<Body: Decodable>(_ type: Body.Type, from data: Data) throws(Fault) -> Body {
            try checkShape(of: data)
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            do {
                return try decoder.decode(type, from: data)
            } catch let fault as Fault {
                throw fault
            } catch let error as DecodingError {
                throw Fault(error)
            } catch {
                throw Fault(.invalid, "the body is not JSON")
            }
        }

        /// What the parser would let through or guess at: other encodings, raw control characters, bottomless nesting.
        private static func checkShape(of data: Data) throws(Fault) {
            guard !data.isEmpty else { throw Fault(.invalid, "the body is empty; a JSON object is wanted") }
            do throws(UTF8.ValidationError) {
                _ = try UTF8Span(validating: data.span)
            } catch {
                throw Fault(.invalid, "the body is not UTF-8 at its byte \(error.byteOffsets.lowerBound)")
            }
            if data.starts(with: [0xEF, 0xBB, 0xBF]) {
                throw Fault(.invalid, "the body begins with a byte order mark, which JSON does not allow")
            }
            var (depth, inText, escaped, afterComma) = (0, false, false, false)
            let bytes = data.span
            for offset in bytes.indices {
                let byte = bytes[offset]
                if byte < 0x20, inText || !(byte == 0x09 || byte == 0x0A || byte == 0x0D) {
                    throw Fault(
                        .invalid, "the body has a raw control character at its byte \(offset), to be written as \\u00.."
                    )
                }
                if inText {
                    if escaped {
                        escaped = false
                    } else if byte == UInt8(ascii: "\\") {
                        escaped = true
                    } else if byte == UInt8(ascii: "\"") {
                        inText = false
                    }
                    continue
                }
                // The parser lets a comma before a closing bracket pass.
                if afterComma, byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
                    throw Fault(.invalid, "the body is not JSON: nothing follows the comma before byte \(offset)")
                }
                if byte > 0x20 { afterComma = byte == UInt8(ascii: ",") }
                switch byte {
                case UInt8(ascii: "\""): inText = true
                case UInt8(ascii: "["), UInt8(ascii: "{"):
                    depth += 1
                    if depth > depthLimit {
                        throw Fault(.invalid, "the body is nested more than \(depthLimit) levels deep")
                    }
                case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
                default: break
                }
            }
        }
    }

    /// A field that is written as `null` where it has no value, instead of being left out.
    @propertyWrapper struct Null<Value: Encodable>: Encodable {
        var wrappedValue: Value?

        init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            if let wrappedValue { try value.encode(wrappedValue) } else { try value.encodeNil() }
        }
    }

    func secondsSince1970() -> Int { Int(Date().timeIntervalSince1970) }

    extension Fault {
        fileprivate init(_ error: DecodingError) {
            switch error {
            case .keyNotFound(let key, let context):
                let path = (context.codingPath + [key]).field
                self = .invalid(path, "\"\(path)\" is missing")
            case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
                let path = context.codingPath.field
                let wanted = wantedName(of: type)
                self =
                    path.isEmpty
                    ? Fault(.invalid, "the body is not \(wanted)")
                    : .invalid(path, "\"\(path)\" must be \(wanted)")
            case .dataCorrupted(let context) where !context.codingPath.isEmpty:
                let path = context.codingPath.field
                self = .invalid(path, "\"\(path)\": \(context.debugDescription)")
            default:
                self.init(.invalid, "the body is not JSON")
            }
        }
    }

    private func wantedName(of type: Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is Int.Type, is Int32.Type: "a whole number"
        case is [String: Any].Type: "an object"
        case is [Any].Type: "a list"
        default: "of another type"
        }
    }

    extension [any CodingKey] {
        /// The path as clients write it: `input[3]`, `parameters.prompt_name`.
        fileprivate var field: String {
            reduce(into: "") { path, key in
                if let index = key.intValue {
                    path += "[\(index)]"
                } else {
                    path += path.isEmpty ? key.stringValue.snakeCased : ".\(key.stringValue.snakeCased)"
                }
            }
        }
    }

    extension String {
        fileprivate var snakeCased: String {
            reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : "\($1)" }
        }
    }
#endif
