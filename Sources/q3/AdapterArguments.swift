// The option of an adapter: a small file that changes the vectors of queries.
import ArgumentParser
import Q3Embedding
import Q3Input
import Q3System

struct AdapterArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An adapter of this model ('q3 tune adapter'), which changes the vectors of queries.", valueName: "file"),
        completion: .file(extensions: ["gguf"]))
    var adapter: String?

    /// The adapter, made for the model that is open; nil where none is asked for.
    func load(for embedder: Embedder) throws -> EmbeddingAdapter? {
        guard let adapter else { return nil }
        do {
            return try EmbeddingAdapter(path: adapter, for: embedder)
        } catch {
            throw Failure(error, model: adapter)
        }
    }

    /// What of a resumable job the vectors depend on.
    func add(to job: inout ResumableJob) throws {
        guard let adapter else { return }
        job.add("the adapter \(adapter)", try fileDigest(adapter).hex)
    }
}

/// The hash of a whole file, as it lies there.
func fileDigest(_ path: String) throws -> SHA256Digest {
    var hash = SHA256()
    let bytes = try ByteStream(path: path, decodes: false)
    while case let chunk = try bytes.read(), !chunk.isEmpty { hash.update(chunk) }
    return SHA256Digest(hash)
}
