/* A disk that fails: LD_PRELOAD this into a program, and its files below $CHATSERV_SHIM_ROOT do what a test wants.
 *
 * $CHATSERV_SHIM_DISK gets what a disk would hold if the power failed now: only what was synced. "i-INODE.GENERATION" is the
 * content of a file at its last fsync; "d-INODE" the names of a directory at its last, a line "i INODE.GENERATION NAME" for
 * a file and "d INODE NAME" for a directory each. Nothing but fsync and fdatasync writes there.
 *
 * While $CHATSERV_SHIM_DISK/order-WHAT exists, WHAT fails: "fsync" and "fdatasync" (as one) and "read" with EIO, "write" with
 * EIO, "full" is a write with ENOSPC; "hold" lets a sync wait as long as the order is there. The file holds a part of a path
 * that has to fit, "" is all, and a number of times behind a space, 0 is for ever. Each failure is a line "WHAT PATH" in
 * $CHATSERV_SHIM_DISK/happened.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FD 65536
#define MOST_INODES 4096

struct inode { dev_t dev; ino_t ino; unsigned generation; off_t from, to; int known; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *disk;
static size_t root_length;
static struct inode inodes[MOST_INODES];
static int inode_count;
static unsigned char tracked[MOST_FD];

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_read)(int, void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_rename)(const char *, const char *);
static int (*real_renameat)(int, const char *, int, const char *);

static void *named(const char *name) { return dlsym(RTLD_NEXT, name); }

/* Called by whatever comes first: constructors of other libraries open files before ours runs. */
static void ready(void) {
    if (real_close != NULL) return;
    real_open = named("open64"); real_openat = named("openat64");
    real_write = named("write"); real_writev = named("writev"); real_pwrite = named("pwrite64");
    real_pread = named("pread64"); real_read = named("read"); real_fsync = named("fsync");
    real_fdatasync = named("fdatasync"); real_ftruncate = named("ftruncate64"); real_unlink = named("unlink");
    real_unlinkat = named("unlinkat"); real_rename = named("rename"); real_renameat = named("renameat");
    root = getenv("CHATSERV_SHIM_ROOT"); disk = getenv("CHATSERV_SHIM_DISK");
    if (root == NULL || disk == NULL) root = NULL;
    else root_length = strlen(root);
    real_close = named("close");
}

/* Which file a descriptor is of; 0 where it is not below the root. */
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static void note_open(int fd) {
    char path[PATH_MAX];
    if (root == NULL || fd < 0 || fd >= MOST_FD) return;
    int before = errno;
    tracked[fd] = (unsigned char)path_of(fd, path);
    errno = before;
}

static int is_ours(int fd) { return root != NULL && fd >= 0 && fd < MOST_FD && tracked[fd]; }

/* With the lock held: what is known of a file, or NULL where there are too many. */
static struct inode *find(const struct stat *facts) {
    for (int i = 0; i < inode_count; i++)
        if (inodes[i].ino == facts->st_ino && inodes[i].dev == facts->st_dev) return &inodes[i];
    if (inode_count == MOST_INODES) abort();
    struct inode *new = &inodes[inode_count++];
    new->dev = facts->st_dev; new->ino = facts->st_ino;
    new->from = 0; new->to = LLONG_MAX;
    return new;
}

/* The file is gone: whoever gets its number is another. */
static void forget(int at, const char *name) {
    struct stat facts;
    if (root == NULL || fstatat(at, name, &facts, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(facts.st_mode)) return;
    if (facts.st_nlink > 1) return;
    pthread_mutex_lock(&lock);
    struct inode *inode = find(&facts);
    inode->generation++; inode->known = 0; inode->from = 0; inode->to = LLONG_MAX;
    pthread_mutex_unlock(&lock);
}

static void note_write(int fd, off_t from, off_t to) {
    struct stat facts;
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) return;
    pthread_mutex_lock(&lock);
    struct inode *inode = find(&facts);
    if (from < inode->from) inode->from = from;
    if (to > inode->to) inode->to = to;
    pthread_mutex_unlock(&lock);
}

/* Whether WHAT is ordered to fail for this descriptor; notes that it did. */
static int fails(const char *what, int fd) {
    char name[PATH_MAX], order[PATH_MAX + 32], path[PATH_MAX];
    int before = errno, failing = 0;
    snprintf(name, sizeof name, "%s/order-%s", disk, what);
    if (access(name, F_OK) != 0) { errno = before; return 0; }
    pthread_mutex_lock(&lock);
    int file = real_open(name, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        ssize_t length = real_read(file, order, sizeof order - 1);
        real_close(file);
        order[length < 0 ? 0 : length] = 0;
        char *space = strrchr(order, ' ');
        long left = 0;
        if (space != NULL) { *space = 0; left = atol(space + 1); }
        if (path_of(fd, path) && strstr(path, order) != NULL) {
            failing = 1;
            if (left == 1) real_unlink(name);
            else if (left > 1 && (file = real_open(name, O_WRONLY | O_TRUNC | O_CLOEXEC)) >= 0) {
                dprintf(file, "%s %ld", order, left - 1);
                real_close(file);
            }
            snprintf(name, sizeof name, "%s/happened", disk);
            file = real_open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            if (file >= 0) {
                snprintf(order, sizeof order, "%s %s\n", what, path);
                if (real_write(file, order, strlen(order)) < 0) abort();
                real_close(file);
            }
        }
    }
    pthread_mutex_unlock(&lock);
    errno = before;
    return failing;
}

/* With the lock held: brings the disk's copy of a file up to what it is. */
static void keep_file(int fd, const struct stat *facts) {
    char name[PATH_MAX], link[64], buffer[65536];
    struct inode *inode = find(facts);
    off_t from = inode->known ? inode->from : 0, to = inode->known ? inode->to : LLONG_MAX;
    if (to > facts->st_size) to = facts->st_size;
    snprintf(name, sizeof name, "%s/i-%lu.%u", disk, (unsigned long)facts->st_ino, inode->generation);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int source = real_open(link, O_RDONLY | O_CLOEXEC); /* the descriptor itself may be for writing alone */
    int target = real_open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (source < 0 || target < 0 || real_ftruncate(target, facts->st_size) != 0) abort();
    while (from < to) {
        size_t wanted = (size_t)(to - from) < sizeof buffer ? (size_t)(to - from) : sizeof buffer;
        ssize_t length = real_pread(source, buffer, wanted, from);
        if (length <= 0) break;
        if (real_pwrite(target, buffer, (size_t)length, from) != length) abort();
        from += length;
    }
    real_close(source); real_close(target);
    inode->known = 1; inode->from = LLONG_MAX; inode->to = 0;
}

/* With the lock held: the names of a directory. */
static void keep_directory(int fd, const struct stat *facts) {
    char name[PATH_MAX], fresh[PATH_MAX + 8], link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    DIR *open_directory = opendir(link);
    if (open_directory == NULL) abort();
    snprintf(name, sizeof name, "%s/d-%lu", disk, (unsigned long)facts->st_ino);
    snprintf(fresh, sizeof fresh, "%s.new", name);
    int target = real_open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (target < 0) abort();
    for (struct dirent *entry = readdir(open_directory); entry != NULL; entry = readdir(open_directory)) {
        struct stat inner;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (fstatat(dirfd(open_directory), entry->d_name, &inner, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (S_ISREG(inner.st_mode))
            dprintf(target, "i %lu.%u %s\n", (unsigned long)inner.st_ino, find(&inner)->generation, entry->d_name);
        else if (S_ISDIR(inner.st_mode))
            dprintf(target, "d %lu %s\n", (unsigned long)inner.st_ino, entry->d_name);
    }
    real_close(target);
    closedir(open_directory);
    if (real_rename(fresh, name) != 0) abort();
}

static int sync_ours(int fd) {
    struct stat facts;
    if (fails("fsync", fd)) { errno = EIO; return -1; }
    if (fails("hold", fd)) {
        char order[PATH_MAX];
        snprintf(order, sizeof order, "%s/order-hold", disk);
        while (access(order, F_OK) == 0) usleep(2000);
    }
    if (fstat(fd, &facts) != 0) return -1;
    pthread_mutex_lock(&lock);
    if (S_ISREG(facts.st_mode)) keep_file(fd, &facts);
    else if (S_ISDIR(facts.st_mode)) keep_directory(fd, &facts);
    pthread_mutex_unlock(&lock);
    return 0;
}

int open64(const char *path, int flags, ...) {
    ready();
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);
    int fd = real_open(path, flags, mode);
    note_open(fd);
    return fd;
}
int open(const char *path, int flags, ...) {
    ready();
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);
    int fd = real_open(path, flags, mode);
    note_open(fd);
    return fd;
}
int openat64(int at, const char *path, int flags, ...) {
    ready();
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);
    int fd = real_openat(at, path, flags, mode);
    note_open(fd);
    return fd;
}
int openat(int at, const char *path, int flags, ...) {
    ready();
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);
    int fd = real_openat(at, path, flags, mode);
    note_open(fd);
    return fd;
}
int close(int fd) {
    ready();
    if (fd >= 0 && fd < MOST_FD) tracked[fd] = 0;
    return real_close(fd);
}
ssize_t write(int fd, const void *data, size_t size) {
    ready();
    if (!is_ours(fd)) return real_write(fd, data, size);
    if (fails("full", fd)) { errno = ENOSPC; return -1; }
    if (fails("write", fd)) { errno = EIO; return -1; }
    ssize_t result = real_write(fd, data, size);
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (result > 0) note_write(fd, end - result, end);
    return result;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    ready();
    if (!is_ours(fd)) return real_writev(fd, parts, count);
    ssize_t result = real_writev(fd, parts, count);
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (result > 0) note_write(fd, end - result, end);
    return result;
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    ready();
    if (!is_ours(fd)) return real_pwrite(fd, data, size, at);
    if (fails("full", fd)) { errno = ENOSPC; return -1; }
    if (fails("write", fd)) { errno = EIO; return -1; }
    ssize_t result = real_pwrite(fd, data, size, at);
    if (result > 0) note_write(fd, at, at + result);
    return result;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { ready(); return pwrite64(fd, data, size, at); }
ssize_t pread64(int fd, void *data, size_t size, off_t at) {
    ready();
    if (is_ours(fd) && fails("read", fd)) { errno = EIO; return -1; }
    return real_pread(fd, data, size, at);
}
ssize_t pread(int fd, void *data, size_t size, off_t at) { ready(); return pread64(fd, data, size, at); }
int ftruncate64(int fd, off_t size) {
    ready();
    int result = real_ftruncate(fd, size);
    if (result == 0 && is_ours(fd)) note_write(fd, size, size);
    return result;
}
int ftruncate(int fd, off_t size) { ready(); return ftruncate64(fd, size); }
int fsync(int fd) { ready(); return is_ours(fd) ? sync_ours(fd) : real_fsync(fd); }
int fdatasync(int fd) { ready(); return is_ours(fd) ? sync_ours(fd) : real_fdatasync(fd); }
int unlink(const char *path) { ready(); forget(AT_FDCWD, path); return real_unlink(path); }
int unlinkat(int at, const char *path, int flags) { ready(); forget(at, path); return real_unlinkat(at, path, flags); }
int rename(const char *from, const char *to) { ready(); forget(AT_FDCWD, to); return real_rename(from, to); }
int renameat(int at, const char *from, int there, const char *to) {
    ready();
    forget(there, to);
    return real_renameat(at, from, there, to);
}
