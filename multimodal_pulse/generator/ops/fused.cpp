// What a StyleGAN2 does between its convolutions, each in one pass over memory; the Python side is fused.py.
//
// Features are channels-last, [N, H, W, C], in float32 or bfloat16; all sums and small operands are float32. Writing
//     pre = factor * y + strength * noise + bias,    x = clamp(sqrt(2) lrelu(pre)),
// for the convolution's output y, the backward pass finds factor * y again from x, since a leaky ReLU can be inverted.

#include <omp.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int LANES = 16;
constexpr int TILE = 16;  // pixels whose features stay in the first cache
constexpr int COLOURS = 3;
constexpr float SQRT2 = 1.41421356237309505f, SLOPE = 0.2f;

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef uint32_t Words __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));

struct bfloat16 {
    uint16_t bits;
};

inline __attribute__((always_inline)) Floats load(const float* from, int count) {
    Floats v{};
    memcpy(&v, from, count == LANES ? sizeof v : count * sizeof(float));
    return v;
}

inline __attribute__((always_inline)) Floats load(const bfloat16* from, int count) {
    Halves h{};
    memcpy(&h, from, count == LANES ? sizeof h : count * sizeof(bfloat16));
    return (Floats)(__builtin_convertvector(h, Words) << 16);
}

inline __attribute__((always_inline)) void store(float* to, Floats v, int count) {
    memcpy(to, &v, count == LANES ? sizeof v : count * sizeof(float));
}

inline __attribute__((always_inline)) void store(bfloat16* to, Floats v, int count) {
#ifdef __AVX512BF16__
    const __m256bh h = _mm512_cvtneps_pbh((__m512)v);
#else
    Words w = (Words)v, rounded = (w + 0x7fff + ((w >> 16) & 1)) >> 16;  // to the nearest, ties to even
    Halves h = __builtin_convertvector(v == v ? rounded : (w >> 16) | 0x40, Halves);  // NaN stays NaN
#endif
    memcpy(to, &h, count == LANES ? sizeof h : count * sizeof(bfloat16));
}

inline __attribute__((always_inline)) Floats clamped(Floats v, float bound) {  // NaN stays NaN
    v = v > bound ? Floats{} + bound : v;
    return v < -bound ? Floats{} - bound : v;
}

inline float sum(Floats v) {
    float total = 0;
    for (int i = 0; i < LANES; i++) total += v[i];
    return total;
}

// Calls f(first channel, number of channels) for LANES channels at a time; the last ones may be fewer.
template <class F>
inline __attribute__((always_inline)) void channels_in_lanes(int channels, F f) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) f(c, LANES);
    if (c < channels) f(c, channels - c);
}

// Calls f(first, last, thread) in each thread with its share of the rows.
template <class F>
void in_threads(int64_t rows, int threads, F f) {
#pragma omp parallel num_threads(threads)
    {
        int64_t t = omp_get_thread_num(), of = omp_get_num_threads();
        f(rows * t / of, rows * (t + 1) / of, int(t));
    }
}

// Filters rows r - before .. r - before + 3 of `in`, [height, width, C], by [1, 3, 3, 1] / 4, into `out`, [width, C].
template <class T>
void filter_rows(const T* in, int64_t r, int before, int64_t height, int64_t width, int C, float* out) {
    const float taps[4] = {0.25f, 0.75f, 0.75f, 0.25f};
    const T* row[4];
    float tap[4];
    int rows = 0;
    for (int k = 0; k < 4; k++)
        if (int64_t at = r - before + k; at >= 0 && at < height) row[rows] = in + at * width * C, tap[rows++] = taps[k];
    int64_t i = 0, size = width * C;
    auto one = [&](int count) __attribute__((always_inline)) {
        Floats v = tap[0] * load(row[0] + i, count);
        for (int k = 1; k < rows; k++) v += tap[k] * load(row[k] + i, count);
        store(out + i, v, count);
    };
    if (rows == 4)
        for (; i + LANES <= size; i += LANES)
            store(out + i, 0.25f * (load(row[0] + i, LANES) + load(row[3] + i, LANES)) +
                      0.75f * (load(row[1] + i, LANES) + load(row[2] + i, LANES)), LANES);
    for (; i + LANES <= size; i += LANES) one(LANES);
    if (i < size) one(int(size - i));
}

// Filters four neighbouring pixels of a row, C floats apart.
inline __attribute__((always_inline)) Floats filter_pixels(const float* first, int C, int count) {
    return 0.25f * (load(first, count) + load(first + 3 * C, count)) +
           0.75f * (load(first + C, count) + load(first + 2 * C, count));
}

}  // namespace

extern "C" struct Layer {
    int32_t threads;
    int32_t samples, size, channels;
    int32_t noises;  // the number of noise maps: 1 or `samples`
    float clamp;     // infinity: none
    float strength;  // of the noise
    const float *factor, *noise, *bias;  // [samples, C], [noises, size, size], [C]
    const float* style;                  // of the next layer, [samples, C]; null in the last layer
    const float *rgb_weight, *rgb_bias;  // with the style of ToRGB, [samples, COLOURS, C]; [COLOURS]
};

namespace {

// From the convolution's output `y` to the features `x`, the next layer's input `scaled`, and the colours. A layer that
// doubles the resolution (UP) has an output of size + 1, to be filtered, and no colours. `x`, `scaled` may be null.
template <class T, bool UP>
void forward(const Layer& s, const T* y, T* x, T* scaled, float* rgb) {
    const int C = s.channels;
    const int64_t size = s.size;
    in_threads(s.samples * size, s.threads, [=](int64_t first, int64_t last, int) {
        const float clamp = s.clamp;
        std::vector<float> room(2 * C + (UP ? (size + 3) * C : 0));  // a row has a pixel of zeros at each end
        float *const factor = room.data(), *const bias = factor + C, *const row = bias + C;
        for (int64_t at = first; at < last; at++) {
            const int64_t n = at / size, r = at % size;
            const float* noise = s.noise + ((s.noises > 1 ? n : 0) * size + r) * size;
            const float *style = s.style + n * C, *weight = s.rgb_weight + n * COLOURS * C;
            for (int c = 0; c < C; c++) factor[c] = SQRT2 * s.factor[n * C + c], bias[c] = SQRT2 * s.bias[c];
            if (UP) filter_rows(y + n * (size + 1) * (size + 1) * C, r, 1, size + 1, size + 1, C, row + C);
            for (int64_t q = 0; q < size; q++) {
                const int64_t p = at * size + q;
                const float noise_here = SQRT2 * s.strength * noise[q];
                Floats colour[COLOURS] = {};
                channels_in_lanes(C, [&](int c, int count) __attribute__((always_inline)) {
                    Floats v = UP ? filter_pixels(row + q * C + c, C, count) : load(y + p * C + c, count);
                    v = v * load(factor + c, count) + (load(bias + c, count) + noise_here);
                    v = clamped(v > 0 ? v : SLOPE * v, clamp);
                    if (x) store(x + p * C + c, v, count);
                    if (scaled) store(scaled + p * C + c, v * load(style + c, count), count);
                    if (!UP)
                        for (int j = 0; j < COLOURS; j++) colour[j] += v * load(weight + j * C + c, count);
                });
                for (int j = 0; j < COLOURS && !UP; j++) {
                    const float value = sum(colour[j]) + s.rgb_bias[j];
                    rgb[p * COLOURS + j] = value > clamp ? clamp : value < -clamp ? -clamp : value;
                }
            }
        }
    });
}

// The gradients of one layer, from that of the next layer's input, `g_scaled` (null: there is none), and, without UP, of
// the colours: of the convolution's output before any filter, `g_y`; of the style, [samples, C]; of the factor,
// [samples, C]; of the weight of ToRGB, [samples, COLOURS, C]; and of the noise, [samples, size, size] (null: not wanted).
template <class T, bool UP>
void backward(const Layer& s, const T* x, const T* g_scaled, const float* g_rgb, T* g_y, float* g_style,
              float* g_factor, float* g_weight, float* g_noise) {
    const int C = s.channels, sums = UP ? 2 : 2 + COLOURS;
    const int64_t size = s.size;
    std::vector<std::vector<float>> of_threads(s.threads);
    in_threads(s.samples * size, s.threads, [=, &of_threads](int64_t first, int64_t last, int thread) {
        const float clamp = s.clamp;
        std::vector<float>& totals = of_threads[thread];
        totals.assign(s.samples * sums * C, 0.0f);
        for (int64_t at = first; at < last; at++) {
            const int64_t n = at / size, r = at % size;
            const float* noise = s.noise + ((s.noises > 1 ? n : 0) * size + r) * size;
            const float *factor = s.factor + n * C, *bias = s.bias, *style = s.style + n * C, *weight = s.rgb_weight + n * COLOURS * C;
            float* total = totals.data() + n * sums * C;
            for (int64_t begin = 0; begin < size; begin += TILE) {
                const int tile = int(std::min<int64_t>(TILE, size - begin));
                Floats over_channels[TILE] = {};
                channels_in_lanes(C, [&](int c, int count) __attribute__((always_inline)) {
                    const Floats f = SQRT2 * load(factor + c, count), b = load(bias + c, count);
                    const Floats next = g_scaled ? load(style + c, count) : Floats{};
                    Floats w[COLOURS], of_style{}, of_factor{}, of_weight[COLOURS] = {};
                    for (int j = 0; j < COLOURS && !UP; j++) w[j] = load(weight + j * C + c, count);
                    for (int k = 0; k < tile; k++) {
                        const int64_t q = begin + k, p = at * size + q;
                        const Floats v = load(x + p * C + c, count);
                        Floats g{};
                        if (g_scaled) {
                            const Floats arriving = load(g_scaled + p * C + c, count);
                            of_style += arriving * v;
                            g = arriving * next;
                        }
                        for (int j = 0; j < COLOURS && !UP; j++) {
                            g += g_rgb[p * COLOURS + j] * w[j];
                            of_weight[j] += g_rgb[p * COLOURS + j] * v;
                        }
                        g = v > 0 ? g : SLOPE * g;
                        g = v >= clamp ? Floats{} : g;
                        g = v <= -clamp ? Floats{} : g;
                        of_factor += g * ((v > 0 ? v : (1 / SLOPE) * v) * (1 / SQRT2) - s.strength * noise[q] - b);
                        over_channels[k] += g;
                        store(g_y + p * C + c, g * f, count);
                    }
                    store(total + c, load(total + c, count) + of_style, count);
                    store(total + C + c, load(total + C + c, count) + of_factor, count);
                    for (int j = 0; j < COLOURS && !UP; j++) {
                        float* here = total + (2 + j) * C + c;
                        store(here, load(here, count) + of_weight[j], count);
                    }
                });
                for (int k = 0; k < tile && g_noise; k++) g_noise[at * size + begin + k] = SQRT2 * s.strength * sum(over_channels[k]);
            }
        }
    });
    for (int64_t n = 0; n < s.samples; n++)
        for (int i = 0; i < sums; i++)
            for (int c = 0; c < C; c++) {
                float total = 0;
                for (const auto& totals : of_threads)
                    if (!totals.empty()) total += totals[(n * sums + i) * C + c];
                if (i == 0) g_style[n * C + c] = total;
                if (i == 1) g_factor[n * C + c] = SQRT2 * total / s.factor[n * C + c];
                if (i > 1) g_weight[(n * COLOURS + i - 2) * C + c] = total;
            }
}

// The transpose of the filter of UP: [samples, size, size, C] -> [samples, size + 1, size + 1, C].
template <class T>
void filter_transposed(const Layer& s, const T* in, T* out) {
    const int C = s.channels;
    const int64_t size = s.size, wide = size + 1;
    in_threads(s.samples * wide, s.threads, [&](int64_t first, int64_t last, int) {
        std::vector<float> row((size + 4) * C);  // two pixels of zeros at each end
        for (int64_t at = first; at < last; at++) {
            filter_rows(in + at / wide * size * size * C, at % wide, 2, size, size, C, row.data() + 2 * C);
            for (int64_t q = 0; q < wide; q++)
                channels_in_lanes(C, [&](int c, int count) __attribute__((always_inline)) {
                    store(out + (at * wide + q) * C + c, filter_pixels(row.data() + q * C + c, C, count), count);
                });
        }
    });
}

}  // namespace

extern "C" {

// Adds the image of half the size, [samples, size / 2, size / 2, COLOURS], doubled by [1, 3, 3, 1], to `image`.
void add_doubled(int samples, int size, int threads, const float* half, float* image) {
    const int64_t low = size / 2;
    in_threads(int64_t(samples) * size, threads, [&](int64_t first, int64_t last, int) {
        std::vector<float> row((low + 2) * COLOURS);
        for (int64_t at = first; at < last; at++) {
            const int64_t n = at / size, r = at % size, near = r / 2, far = r % 2 ? near + 1 : near - 1;
            const float *a = half + (n * low + near) * low * COLOURS, *b = half + (n * low + far) * low * COLOURS;
            for (int64_t i = 0; i < low * COLOURS; i++)
                row[COLOURS + i] = 0.75f * a[i] + (far >= 0 && far < low ? 0.25f * b[i] : 0.0f);
            float* out = image + at * size * COLOURS;
            for (int64_t q = 0; q < size; q++)
                for (int j = 0; j < COLOURS; j++) {
                    const float* here = &row[(q / 2 + 1) * COLOURS + j];
                    out[q * COLOURS + j] += 0.75f * *here + 0.25f * here[q % 2 ? COLOURS : -COLOURS];
                }
        }
    });
}

// Writes the transpose of that doubling: `image` [samples, size, size, COLOURS] -> `half`.
void halve(int samples, int size, int threads, const float* image, float* half) {
    const int64_t low = size / 2;
    const float taps[4] = {0.25f, 0.75f, 0.75f, 0.25f};
    in_threads(samples * low, threads, [&](int64_t first, int64_t last, int) {
        std::vector<float> row((size + 2) * COLOURS);
        for (int64_t at = first; at < last; at++) {
            const int64_t n = at / low, r = at % low;
            std::fill(row.begin(), row.end(), 0.0f);
            for (int k = 0; k < 4; k++) {
                const int64_t y = 2 * r - 1 + k;
                if (y < 0 || y >= size) continue;
                const float* in = image + (n * size + y) * size * COLOURS;
                for (int64_t i = 0; i < size * COLOURS; i++) row[COLOURS + i] += taps[k] * in[i];
            }
            for (int64_t q = 0; q < low; q++)
                for (int j = 0; j < COLOURS; j++) {
                    float total = 0;
                    for (int k = 0; k < 4; k++) total += taps[k] * row[(2 * q + k) * COLOURS + j];
                    half[(at * low + q) * COLOURS + j] = total;
                }
        }
    });
}

#define FOR_FEATURES(T, NAME)                                                                                         \
    void forward_##NAME(const Layer* s, const T* y, T* x, T* scaled, float* rgb) {                                    \
        rgb ? forward<T, false>(*s, y, x, scaled, rgb) : forward<T, true>(*s, y, x, scaled, rgb);                     \
    }                                                                                                                 \
    void backward_##NAME(const Layer* s, const T* x, const T* g_scaled, const float* g_rgb, T* g_y, float* g_style,   \
                         float* g_factor, float* g_weight, float* g_noise) {                                          \
        g_rgb ? backward<T, false>(*s, x, g_scaled, g_rgb, g_y, g_style, g_factor, g_weight, g_noise)                 \
              : backward<T, true>(*s, x, g_scaled, g_rgb, g_y, g_style, g_factor, g_weight, g_noise);                 \
    }                                                                                                                 \
    void filter_transposed_##NAME(const Layer* s, const T* in, T* out) { filter_transposed<T>(*s, in, out); }

FOR_FEATURES(float, float32)
FOR_FEATURES(bfloat16, bfloat16)
}
