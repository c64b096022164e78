// Structs that begin with their size, read into ours whatever the size was when the caller was compiled.
import CQ3

/// The caller's struct; all zero for NULL. Fields that the caller does not know are zero, and what it knows beyond ours
/// must be.
func options<Options: BitwiseCopyable>(
    _ pointer: UnsafePointer<Options>?, zero: Options, name: StaticString
) throws(Fault) -> Options {
    guard let pointer = unsafe pointer else { return zero }
    let raw = unsafe UnsafeRawPointer(pointer)
    let size = unsafe raw.load(as: Int.self)
    guard size >= MemoryLayout<Int>.size, size <= 1 << 16 else {
        throw .argument("\(name).size is \(size), expected \(MemoryLayout<Options>.size)")
    }
    var read = zero
    let known = min(size, MemoryLayout<Options>.size)
    unsafe withUnsafeMutableBytes(of: &read) {
        unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: known))
    }
    let rest = unsafe UnsafeRawBufferPointer(start: raw + known, count: size - known)
    guard unsafe rest.allSatisfy({ $0 == 0 }) else {
        throw .argument("\(name) has options that this library does not know; it is older than the header")
    }
    return read
}

/// Writes as much of `value` as the caller's struct has room for.
func write<Value: BitwiseCopyable>(_ value: Value, to pointer: UnsafeMutablePointer<Value>, name: StaticString)
    throws(Fault)
{
    let raw = UnsafeMutableRawPointer(pointer)
    let size = unsafe raw.load(as: Int.self)
    guard size >= MemoryLayout<Int>.size else {
        throw .argument("\(name).size is \(size), expected \(MemoryLayout<Value>.size)")
    }
    let (from, to) = (MemoryLayout<Int>.size, min(size, MemoryLayout<Value>.size))
    unsafe withUnsafeBytes(of: value) { bytes in
        for index in from..<max(from, to) {
            unsafe raw.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self)
        }
    }
}

/// A C truth value: 0 or 1.
func flag(_ value: Int32, _ name: StaticString) throws(Fault) -> Bool {
    guard value == 0 || value == 1 else { throw .argument("\(name) is \(value), expected 0 or 1") }
    return value == 1
}

/// The text of `count` bytes, or nil for NULL.
func text(_ bytes: UnsafePointer<UInt8>?, count: Int64, _ name: StaticString) throws(Fault) -> String? {
    guard let bytes = unsafe bytes else {
        guard count == 0 else { throw .argument("\(name) is NULL, but has \(count) bytes") }
        return nil
    }
    guard count >= 0, let count = Int(exactly: count) else { throw .argument("\(name) has \(count) bytes") }
    guard let text = unsafe String(validating: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self) else {
        throw Fault(status: q3_status(Q3_BAD_TEXT), message: "\(name) is not UTF-8")
    }
    return text
}
