/// One GGUF file, mapped and checked.  (contract; the reader is being written)
public final class GGUFFile: Sendable {
    public init(path: String) throws(GGUFError) { fatalError("not written yet") }
}
public enum GGUFError: Error { case notWritten }
