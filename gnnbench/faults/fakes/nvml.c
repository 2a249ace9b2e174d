/* A libnvidia-ml.so.1 without a GPU: the functions that nvidia-ml-py calls, with the layouts of NVIDIA's nvml.h,
 * answering from a scenario (scenario.c). A GPU's handle is its number + 1; a MIG device's has its slot above. */
#include <stdint.h>

typedef void *Device;
typedef unsigned long long u64;
enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, TIMED_OUT = 10 };

static const char *of(Device device) {
    static char prefixes[8][64];
    static int turn;
    char *prefix = prefixes[turn++ % 8];
    unsigned handle = (unsigned)(uintptr_t)device;
    if (handle >> 16)
        snprintf(prefix, 64, "gpu%u.mig%u.", (handle & 0xffff) - 1, (handle >> 16) - 1);
    else
        snprintf(prefix, 64, "gpu%u.", handle - 1);
    return prefix;
}

#define ENTER(prefix)                          \
    do {                                       \
        int code_ = enter(__func__, (prefix)); \
        if (code_) return code_;               \
    } while (0)

static int uint_of(const char *prefix, const char *key, unsigned *value) {
    u64 found;
    if (!number(prefix, key, &found)) return NOT_SUPPORTED;
    *value = (unsigned)found;
    return OK;
}

static int u64_of(const char *prefix, const char *key, u64 *value) {
    return number(prefix, key, value) ? OK : NOT_SUPPORTED;
}

static int text_of(const char *prefix, const char *key, char *value, unsigned size) {
    return text(prefix, key, value, size) ? OK : NOT_SUPPORTED;
}

#define UINT(function, key) \
    int function(Device d, unsigned *v) { ENTER(of(d)); return uint_of(of(d), key, v); }
#define UINT_OF_KIND(function, key)                       \
    int function(Device d, unsigned kind, unsigned *v) {  \
        char name[64];                                    \
        ENTER(of(d));                                     \
        snprintf(name, 64, key ".%u", kind);              \
        return uint_of(of(d), name, v);                   \
    }
#define TWO(function, first, second)                            \
    int function(Device d, unsigned *v, unsigned *w) {          \
        ENTER(of(d));                                           \
        int code = uint_of(of(d), first, v);                    \
        return code ? code : uint_of(of(d), second, w);         \
    }
#define U64(function, key) int function(Device d, u64 *v) { ENTER(of(d)); return u64_of(of(d), key, v); }
#define TEXT(function, key) \
    int function(Device d, char *v, unsigned size) { ENTER(of(d)); return text_of(of(d), key, v, size); }
#define SYSTEM_TEXT(function, key) \
    int function(char *v, unsigned size) { ENTER(""); return text_of("", key, v, size); }

int nvmlInitWithFlags(unsigned flags) { ENTER(""); return OK; }
int nvmlInit_v2(void) { ENTER(""); return OK; }
int nvmlShutdown(void) { ENTER(""); return OK; }
const char *nvmlErrorString(int code) { return "Fake Error"; }
SYSTEM_TEXT(nvmlSystemGetDriverVersion, "driver")
SYSTEM_TEXT(nvmlSystemGetNVMLVersion, "nvml")
int nvmlSystemGetCudaDriverVersion(int *v) { ENTER(""); return uint_of("", "cuda", (unsigned *)v); }
int nvmlSystemGetCudaDriverVersion_v2(int *v) { ENTER(""); return uint_of("", "cuda", (unsigned *)v); }

int nvmlDeviceGetCount_v2(unsigned *v) { ENTER(""); return uint_of("", "count", v); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *d) {
    char prefix[64];
    snprintf(prefix, 64, "gpu%u.", index);
    ENTER(prefix);
    if (!find(prefix, "name")) return INVALID;
    *d = (Device)(uintptr_t)(index + 1);
    return OK;
}

TEXT(nvmlDeviceGetUUID, "uuid")
TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetVbiosVersion, "vbios")
TWO(nvmlDeviceGetCudaComputeCapability, "major", "minor")
UINT(nvmlDeviceGetPersistenceMode, "persistence")
UINT(nvmlDeviceGetComputeMode, "compute_mode")
UINT(nvmlDeviceGetPerformanceState, "pstate")

struct Pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; };
static int pci_of(const char *prefix, const char *key, struct Pci *v) {
    memset(v, 0, sizeof *v);
    if (!text(prefix, key, v->bus_id, sizeof v->bus_id)) return NOT_SUPPORTED;
    sscanf(v->bus_id, "%x:%x:%x", &v->domain, &v->bus, &v->device);
    return OK;
}
int nvmlDeviceGetPciInfo_v3(Device d, struct Pci *v) { ENTER(of(d)); return pci_of(of(d), "pci", v); }

struct Memory { u64 total, free, used; };
struct MemoryV2 { unsigned version; u64 total, reserved, free, used; };
int nvmlDeviceGetMemoryInfo(Device d, struct Memory *v) {
    ENTER(of(d));
    int code = u64_of(of(d), "memory", &v->total);
    if (code) return code;
    if (!number(of(d), "used", &v->used)) v->used = 0;
    v->free = v->total - v->used;
    return OK;
}
int nvmlDeviceGetMemoryInfo_v2(Device d, struct MemoryV2 *v) {
    struct Memory old;
    ENTER(of(d));
    int code = u64_of(of(d), "memory", &old.total);
    if (code) return code;
    v->total = old.total;
    if (!number(of(d), "used", &v->used)) v->used = 0;
    if (!number(of(d), "reserved", &v->reserved)) v->reserved = 0;
    v->free = v->total - v->used - v->reserved;
    return OK;
}

TWO(nvmlDeviceGetMigMode, "mig", "mig_pending")
UINT(nvmlDeviceGetMaxMigDeviceCount, "mig_slots")
int nvmlDeviceGetMigDeviceHandleByIndex(Device d, unsigned slot, Device *mig) {
    char key[64];
    ENTER(of(d));
    snprintf(key, 64, "mig%u.uuid", slot);
    if (!find(of(d), key)) return NOT_FOUND;
    *mig = (Device)((uintptr_t)d | (uintptr_t)(slot + 1) << 16);
    return OK;
}

UINT_OF_KIND(nvmlDeviceGetTemperatureThreshold, "threshold")
int nvmlDeviceGetTemperature(Device d, unsigned sensor, unsigned *v) {
    ENTER(of(d));
    return uint_of(of(d), "temperature", v);
}
struct Temperature { unsigned version, sensor; int value; };
int nvmlDeviceGetTemperatureV(Device d, struct Temperature *v) {
    ENTER(of(d));
    return uint_of(of(d), "temperature", (unsigned *)&v->value);
}
struct Margin { unsigned version; int value; };
int nvmlDeviceGetMarginTemperature(Device d, struct Margin *v) {
    ENTER(of(d));
    return uint_of(of(d), "margin", (unsigned *)&v->value);
}

UINT(nvmlDeviceGetEnforcedPowerLimit, "power_limit")
UINT(nvmlDeviceGetPowerManagementDefaultLimit, "power_default")
TWO(nvmlDeviceGetPowerManagementLimitConstraints, "power_min", "power_max")
UINT(nvmlDeviceGetPowerUsage, "power")
UINT_OF_KIND(nvmlDeviceGetClockInfo, "clock")
UINT_OF_KIND(nvmlDeviceGetMaxClockInfo, "clock_max")
UINT_OF_KIND(nvmlDeviceGetApplicationsClock, "clock_set")
UINT_OF_KIND(nvmlDeviceGetDefaultApplicationsClock, "clock_default")
U64(nvmlDeviceGetCurrentClocksThrottleReasons, "throttle")
U64(nvmlDeviceGetCurrentClocksEventReasons, "throttle")
struct Violation { u64 reference, time; };
int nvmlDeviceGetViolationStatus(Device d, unsigned policy, struct Violation *v) {
    char key[64];
    ENTER(of(d));
    snprintf(key, 64, "violation.%u", policy);
    v->reference = 1;
    return u64_of(of(d), key, &v->time);
}

TWO(nvmlDeviceGetEccMode, "ecc", "ecc_pending")
int nvmlDeviceGetTotalEccErrors(Device d, unsigned type, unsigned counter, u64 *v) {
    char key[64];
    ENTER(of(d));
    snprintf(key, 64, "ecc.%s.%s", type ? "uncorrected" : "corrected", counter ? "aggregate" : "volatile");
    return u64_of(of(d), key, v);
}
struct Sram { unsigned version; u64 counts[11]; unsigned exceeded; };
int nvmlDeviceGetSramEccErrorStatus(Device d, struct Sram *v) {
    ENTER(of(d));
    memset(v->counts, 0, sizeof v->counts);
    return uint_of(of(d), "sram_exceeded", &v->exceeded);
}
int nvmlDeviceGetRemappedRows(Device d, unsigned *a, unsigned *b, unsigned *c, unsigned *e) {
    ENTER(of(d));
    int code = uint_of(of(d), "rows.corrected", a);
    if (!code) code = uint_of(of(d), "rows.uncorrected", b);
    if (!code) code = uint_of(of(d), "rows.pending", c);
    return code ? code : uint_of(of(d), "rows.failed", e);
}
int nvmlDeviceGetRowRemapperHistogram(Device d, unsigned *v) {
    static const char *const keys[] = {"banks.max", "banks.high", "banks.partial", "banks.low", "banks.none"};
    int code = 0, i;
    ENTER(of(d));
    for (i = 0; i < 5 && !code; i++) code = uint_of(of(d), keys[i], v + i);
    return code;
}
int nvmlDeviceGetRetiredPages(Device d, unsigned cause, unsigned *count, u64 *pages) {
    char key[64];
    unsigned there, i;
    ENTER(of(d));
    snprintf(key, 64, "pages.%u", cause);
    int code = uint_of(of(d), key, &there);
    if (code) return code;
    if (*count < there || !pages) {
        *count = there;
        return pages || there ? TOO_SMALL : OK;
    }
    *count = there;
    for (i = 0; i < there; i++) pages[i] = i;
    return OK;
}
UINT(nvmlDeviceGetRetiredPagesPendingStatus, "pages_pending")

UINT(nvmlDeviceGetCurrPcieLinkWidth, "pcie.width")
UINT(nvmlDeviceGetMaxPcieLinkWidth, "pcie.width_max")
UINT(nvmlDeviceGetCurrPcieLinkGeneration, "pcie.generation")
UINT(nvmlDeviceGetMaxPcieLinkGeneration, "pcie.generation_max")
UINT(nvmlDeviceGetGpuMaxPcieLinkGeneration, "pcie.generation_max")
UINT(nvmlDeviceGetPcieReplayCounter, "pcie.replays")

UINT_OF_KIND(nvmlDeviceGetNvLinkState, "link")
UINT_OF_KIND(nvmlDeviceGetNvLinkRemoteDeviceType, "link_type")
int nvmlDeviceGetNvLinkRemotePciInfo_v2(Device d, unsigned link, struct Pci *v) {
    char key[64];
    ENTER(of(d));
    snprintf(key, 64, "link_pci.%u", link);
    return pci_of(of(d), key, v);
}
int nvmlDeviceGetNvLinkErrorCounter(Device d, unsigned link, unsigned counter, u64 *v) {
    char key[64];
    ENTER(of(d));
    snprintf(key, 64, "link_errors.%u.%u", link, counter);
    return u64_of(of(d), key, v);
}
struct Fabric { unsigned char cluster[16]; int status; unsigned clique; unsigned char state; };
int nvmlDeviceGetGpuFabricInfo(Device d, struct Fabric *v) {
    unsigned state, status = 0;
    ENTER(of(d));
    int code = uint_of(of(d), "fabric.state", &state);
    if (code) return code;
    uint_of(of(d), "fabric.status", &status);
    v->state = (unsigned char)state;
    v->status = (int)status;
    return OK;
}

struct Process { unsigned pid; u64 memory; unsigned gpu_instance, compute_instance; };
static int processes(Device d, const char *kind, unsigned *count, struct Process *v) {
    char key[64];
    unsigned there = 0, i;
    snprintf(key, 64, "%s.count", kind);
    int code = uint_of(of(d), key, &there);
    if (code) return code;
    if (*count < there || (there && !v)) {
        *count = there;
        return TOO_SMALL;
    }
    *count = there;
    for (i = 0; i < there; i++) {
        memset(v + i, 0, sizeof v[i]);
        snprintf(key, 64, "%s.%u.pid", kind, i);
        uint_of(of(d), key, &v[i].pid);
        snprintf(key, 64, "%s.%u.memory", kind, i);
        u64_of(of(d), key, &v[i].memory);
    }
    return OK;
}
#define PROCESSES(function, kind) \
    int function(Device d, unsigned *n, struct Process *v) { ENTER(of(d)); return processes(d, kind, n, v); }
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "compute")
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, "compute")
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, "graphics")
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, "graphics")

int nvmlDeviceGetTopologyCommonAncestor(Device d, Device other, unsigned *v) {
    char key[64];
    ENTER(of(d));
    snprintf(key, 64, "topology.%u", (unsigned)(uintptr_t)other - 1);
    return uint_of(of(d), key, v);
}
int nvmlDeviceGetP2PStatus(Device d, Device other, unsigned capability, unsigned *v) {
    char key[64];
    ENTER(of(d));
    snprintf(key, 64, "p2p.%u", (unsigned)(uintptr_t)other - 1);
    return uint_of(of(d), key, v);
}
int nvmlDeviceGetCpuAffinity(Device d, unsigned size, u64 *v) {
    ENTER(of(d));
    memset(v, 0, size * sizeof *v);
    return u64_of(of(d), "cpus", v);
}

/* The one event: `xid=N` in the scenario, from GPU 0 unless `xid_gpu` says which; told once in a process. */
struct Event { Device device; u64 type, data; unsigned gpu_instance, compute_instance; };
int nvmlEventSetCreate(void **set) { ENTER(""); *set = (void *)1; return OK; }
int nvmlEventSetFree(void *set) { ENTER(""); return OK; }
int nvmlDeviceRegisterEvents(Device d, u64 types, void *set) { ENTER(of(d)); return OK; }
int nvmlEventSetWait_v2(void *set, struct Event *v, unsigned milliseconds) {
    static u64 told;
    u64 xid = 0, gpu = 0;
    ENTER("");
    number("", "xid", &xid);
    number("", "xid_gpu", &gpu);
    if (!xid || xid == told) {
        usleep(1000 * (milliseconds < 20 ? milliseconds : 20));
        return TIMED_OUT;
    }
    told = xid;
    memset(v, 0, sizeof *v);
    v->device = (Device)(uintptr_t)(gpu + 1);
    v->type = 8;
    v->data = xid;
    return OK;
}
