// The network addresses of a host, and which of them are public.
import Q3System

/// An address as numbers: 4 bytes of IPv4 or 16 of IPv6.
struct HostAddress: Sendable, Equatable {
    let bytes: [UInt8]

    /// Whether it is none of this machine, of a private network, of a cloud's metadata service or otherwise special.
    var isPublic: Bool { Self.isPublic(bytes[...]) }

    private static func isPublic(_ bytes: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(bytes)
        if bytes.count == 16 {
            let zeros = bytes.prefix { $0 == 0 }.count
            if zeros >= 12 || (zeros == 10 && bytes[10] == 0xFF && bytes[11] == 0xFF) { return isPublic(bytes[12...]) }
            if bytes.starts(with: [0x00, 0x64, 0xFF, 0x9B]) { return isPublic(bytes[12...]) }  // IPv4 through NAT64
            if bytes.starts(with: [0x20, 0x02]) { return isPublic(bytes[2..<6]) }  // IPv4 through 6to4
            return bytes[0] & 0xE0 == 0x20 && !bytes.starts(with: [0x20, 0x01, 0x0D, 0xB8])  // 2000::/3 but examples
        }
        guard bytes.count == 4 else { return false }
        switch (bytes[0], bytes[1]) {
        case (0, _), (10, _), (127, _), (169, 254), (172, 16...31), (192, 168), (100, 64...127), (198, 18...19):
            return false
        case (192, 0) where bytes[2] == 0 || bytes[2] == 2: return false
        case (198, 51) where bytes[2] == 100: return false
        case (203, 0) where bytes[2] == 113: return false
        case (224..., _): return false
        default: return true
        }
    }

    /// The address that a number stands for, in any notation that systems read; nil for a name, which is not looked up.
    static func number(_ host: String) -> HostAddress? {
        let number = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(number, nil, &hints, &list) == 0 else { return nil }
        defer { unsafe freeaddrinfo(list) }
        return unsafe list?.pointee.ai_addr.flatMap { unsafe HostAddress($0) }
    }

    /// An address as sockets have it.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch unsafe CInt(address.pointee.sa_family) {
        case AF_INET:
            bytes = unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
                unsafe withUnsafeBytes(of: address.pointee.sin_addr) { unsafe Array($0) }
            }
        case AF_INET6:
            bytes = unsafe address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                unsafe withUnsafeBytes(of: address.pointee.sin6_addr) { unsafe Array($0) }
            }
        default: return nil
        }
    }

    init(bytes: [UInt8]) { self.bytes = bytes }
}
