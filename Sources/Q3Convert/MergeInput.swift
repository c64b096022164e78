// One model of a merge, from a GGUF file or a Hugging Face folder: its tensors under GGUF's names, and its metadata.
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System
import Q3Tokenizer

struct MergeInput: Sendable {
    let path: String
    let tensors: [TensorSource]
    /// Metadata without tensors.
    let header: GGUFWriter
    let fileType: FileType
    /// Paths of all files that are read.
    let inputPaths: [String]
    private let role: String
    /// A hash of the tokens and their merges.
    private let vocabulary: SHA256Digest
    private let verify: @Sendable () throws -> Void

    init(path: String) throws {
        var status = stat()
        let isFolder = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        self = isFolder ? try MergeInput(folder: path) : try MergeInput(file: GGUFFile(path: path))
        for tensor in tensors where !WeightCodec.canDecode(typeID: tensor.type.rawValue) {
            throw ConvertError.unreadableType(tensor: tensor.name, type: tensor.type)
        }
    }

    private init(file: GGUFFile) throws {
        guard !file.tensors.isEmpty else { throw ConvertError.noTensors }
        path = file.path
        // By name, because converters differ in the order in which they write tensors.
        tensors = file.tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }.map {
            TensorSource($0, of: file)
        }
        header = try GGUFWriter(metadataOf: file)
        fileType = FileType(of: tensors)
        inputPaths = file.paths
        role = try ModelRole(of: file).kind.rawValue
        var hash = SHA256()
        for key in ["tokenizer.ggml.tokens", "tokenizer.ggml.merges"] {
            unsafe try file.metadata.optionalStringArray(key)?.forEachBytes { _, bytes in unsafe hash.updateItem(bytes)
            }
        }
        vocabulary = SHA256Digest(hash)
        verify = { try file.checkUnchanged() }
    }

    private init(folder path: String) throws {
        let checkpoint = try CheckpointFolder(path: path)
        if let fault = checkpoint.fault {
            throw ConvertError.badFile(path: "\(checkpoint.path)/config.json", fault: fault)
        }
        let role = ModelRole.Kind(of: checkpoint)
        guard role != .unstated else { throw ConvertError.unknownRole(folder: checkpoint.path) }
        let source = try CheckpointTensors(checkpoint, role: role, causal: false, adapter: nil)
        let tokenizer = try CheckpointTokenizer(folder: checkpoint.path, rowCount: checkpoint.config.vocabularySize)
        self.path = path
        tensors = try source.all(tokenizer).sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        var header = GGUFWriter()
        try header.describe(checkpoint, role: role, causal: false)
        try header.describe(tokenizer, of: checkpoint, role: role, causal: false)
        self.header = header
        fileType = FileType(rawValue: source.embeddingType.name) ?? .f32
        inputPaths = checkpoint.inputPaths
        self.role = role.rawValue
        var hash = SHA256()
        for text in tokenizer.tokens + tokenizer.merges {
            unsafe Array(text.utf8).withUnsafeBytes { bytes in unsafe hash.updateItem(bytes) }
        }
        vocabulary = SHA256Digest(hash)
        verify = { try checkpoint.checkUnchanged() }
    }

    func checkUnchanged() throws { try verify() }

    /// Throws `notMergeable` for a model of another kind.
    func check(_ other: MergeInput) throws(ConvertError) {
        func fault(_ what: String) -> ConvertError {
            .notMergeable("\(path.escapedForTerminal) and \(other.path.escapedForTerminal) \(what)")
        }
        guard role == other.role else { throw fault("are a model for \(role) and one for \(other.role)") }
        guard vocabulary == other.vocabulary else {
            throw fault("have different vocabularies: they are of different bases")
        }
        let (mine, its) = (Set(tensors.map(\.name)), Set(other.tensors.map(\.name)))
        if let name = mine.symmetricDifference(its).sorted().first {
            throw fault("do not have the same tensors: \(name.escapedForTerminal) is in one of them alone")
        }
        for (tensor, its) in zip(tensors, other.tensors) where tensor.shape != its.shape {
            throw fault("have tensors \(tensor.name.escapedForTerminal) of the shapes \(tensor.shape) and \(its.shape)")
        }
    }
}

extension SHA256 {
    /// Bytes with their length, so that no two lists of texts run together.
    @unsafe fileprivate mutating func updateItem(_ bytes: UnsafeRawBufferPointer) {
        unsafe withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { unsafe update($0) }
        unsafe update(bytes)
    }
}

extension FileType {
    /// The type that most values of matrices have, where it is one that can be written.
    init(of tensors: [TensorSource]) {
        var counts: [FileType: Int] = [:]
        for tensor in tensors where !tensor.isNorm {
            guard let type = FileType.allCases.first(where: { $0.tensorType == tensor.type }) else { continue }
            counts[type, default: 0] += tensor.elementCount
        }
        self = counts.max { ($0.value, $1.key.id) < ($1.value, $0.key.id) }?.key ?? .f16
    }
}
