// One Qwen3 layer, top to bottom. Everything else that knows a layer's operations gets them from these lines.

extension LayerGraph {
    /// x += attnOut · attention(q, k, v), then x += ffnDown · (silu(gate · x) · (up · x)), both from a normalized x.
    static let qwen3 = LayerGraph { layer in
        let x = layer.residual  // [tokens, hiddenSize]

        let a = layer.norm("attnNorm", x, gain: \.attnNorm)  // [tokens, hiddenSize]
        let q = layer.product("q", a, \.q, width: \.queryWidth)  // [tokens, heads · headDim]
        let k = layer.product("k", a, \.k, width: \.keyWidth)  // [tokens, kvHeads · headDim]
        let v = layer.product("v", a, \.v, width: \.keyWidth)  // [tokens, kvHeads · headDim]
        layer.normalizeAndRotate("qNormRope", q, gain: \.qNorm)  // each head by its RMS, then by its position
        layer.normalizeAndRotate("kNormRope", k, gain: \.kNorm)
        let attended = layer.attention("attention", q, keys: k, values: v)  // [tokens, heads · headDim]
        layer.add("attnOut", attended, \.attnOut, to: x)

        let f = layer.norm("ffnNorm", x, gain: \.ffnNorm)  // [tokens, hiddenSize]
        let hidden = layer.swiGLU("gateUpSwiGLU", f, gate: \.gate, up: \.up, width: \.ffnSize)  // [tokens, ffnSize]
        layer.add("ffnDown", hidden, \.ffnDown, to: x)
    }
}
