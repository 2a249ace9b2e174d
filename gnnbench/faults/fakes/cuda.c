/* A libcuda.so.1 without a GPU: the functions that gnnbench.environment.cuda calls, answering from a scenario
 * (scenario.c). CUDA's GPU n is described by the keys `cudaN.`; `cuda_count` says how many there are. */

#define ENTER(prefix)                          \
    do {                                       \
        int code_ = enter(__func__, (prefix)); \
        if (code_) return code_;               \
    } while (0)
enum { INVALID_DEVICE = 101 };

static const char *of(int device) {
    static char prefixes[4][32];
    static int turn;
    char *prefix = prefixes[turn++ % 4];
    snprintf(prefix, 32, "cuda%d.", device);
    return prefix;
}

static int int_of(const char *prefix, const char *key, int *value) {
    unsigned long long found;
    if (!number(prefix, key, &found)) return INVALID_DEVICE;
    *value = (int)found;
    return 0;
}

int cuInit(unsigned flags) { ENTER(""); return 0; }
int cuDriverGetVersion(int *v) { ENTER(""); return int_of("", "cuda", v); }
int cuDeviceGetCount(int *v) { ENTER(""); return int_of("", "cuda_count", v); }
int cuDeviceGet(int *d, int ordinal) { ENTER(of(ordinal)); *d = ordinal; return 0; }
int cuDeviceGetName(char *v, int size, int d) {
    ENTER(of(d));
    return text(of(d), "name", v, (size_t)size) ? 0 : INVALID_DEVICE;
}
int cuDeviceTotalMem_v2(size_t *v, int d) {
    unsigned long long found;
    ENTER(of(d));
    if (!number(of(d), "memory", &found)) return INVALID_DEVICE;
    *v = (size_t)found;
    return 0;
}
int cuDeviceGetAttribute(int *v, int attribute, int d) {
    ENTER(of(d));
    return int_of(of(d), attribute == 75 ? "major" : "minor", v);
}
/* The sixteen bytes, from a text with or without `GPU-`, `MIG-` and hyphens. */
int cuDeviceGetUuid_v2(unsigned char *v, int d) {
    char digits[LINE];
    const char *from;
    int i = 0;
    ENTER(of(d));
    if (!text(of(d), "uuid", digits, LINE)) return INVALID_DEVICE;
    memset(v, 0, 16);
    from = strncmp(digits, "GPU-", 4) && strncmp(digits, "MIG-", 4) ? digits : digits + 4;
    for (; *from && i < 32; from++)
        if (*from != '-') {
            char one[2] = {*from, 0};
            v[i / 2] |= (unsigned char)(strtol(one, NULL, 16) << (i % 2 ? 0 : 4));
            i++;
        }
    return 0;
}
int cuDeviceGetUuid(unsigned char *v, int d) { return cuDeviceGetUuid_v2(v, d); }
int cuDeviceCanAccessPeer(int *v, int d, int peer) {
    char key[32];
    ENTER(of(d));
    snprintf(key, 32, "peer.%d", peer);
    return int_of(of(d), key, v);
}
int cuDeviceGetPCIBusId(char *v, int size, int d) {
    ENTER(of(d));
    return text(of(d), "pci", v, (size_t)size) ? 0 : INVALID_DEVICE;
}
