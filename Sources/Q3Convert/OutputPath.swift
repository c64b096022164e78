// Where a model may be written to.
import Q3GGUF
import Q3System

/// The path that a file is renamed to: the target of a symbolic link, so that the link stays one. Throws where that
/// is one of the `inputs`, or no file at all.
func outputPath(_ path: String, inputs: [String]) throws(ConvertError) -> String {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return path }
    if inputs.contains(where: { isSameFile(status, as: $0) }) { throw .outputIsInput(path: path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notReplaceable(path: path) }
    guard let resolved = resolvingLinks(path) else { throw .notReplaceable(path: path) }
    return resolved
}
