package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxSocketPath is what the kernel takes as the name of a unix socket, in bytes.
const maxSocketPath = 107

// account is the user as whom PostgreSQL runs, which refuses to run as root.
type account struct {
	name     string
	uid, gid uint32
	switched bool // this process is root and hands over to the account
}

// DefaultDir is where the embedded cluster lives when nothing else is configured: /var/lib/nightshift
// for root, ~/.local/share/nightshift for anybody else.
func DefaultDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/nightshift", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("data folder: %w; set NIGHTSHIFT_DATA", err)
	}
	return filepath.Join(home, ".local", "share", "nightshift"), nil
}

// prepare makes the folders, finds the user to run as and takes the owner's lock; without it this process is a guest.
func (c *Cluster) prepare() error {
	if path := filepath.Join(c.socket(), ".s.PGSQL.5432"); len(path) > maxSocketPath {
		return fmt.Errorf("the unix socket %s would have a name of %d bytes, %d at most: choose a shorter data folder (NIGHTSHIFT_DATA)", path, len(path), maxSocketPath)
	}
	if err := os.MkdirAll(c.config.Dir, 0o755); err != nil {
		return fmt.Errorf("data folder: %w; choose another one with NIGHTSHIFT_DATA", err)
	}
	// The kernel and PostgreSQL name folders without links.
	dir, err := filepath.EvalSymlinks(c.config.Dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	c.config.Dir = dir
	if c.runAs, err = findAccount(c.data()); err != nil {
		return err
	}
	if err := c.runAs.mayEnter(c.config.Dir); err != nil {
		return err
	}
	for _, dir := range []string{c.data(), c.socket()} {
		if err := c.runAs.own(dir); err != nil {
			return err
		}
	}
	return c.takeLock()
}

// takeLock makes this process the owner unless another living process is: the kernel frees the lock when its holder dies.
func (c *Cluster) takeLock() error {
	path := filepath.Join(c.config.Dir, "owner.lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock of the data folder: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return file.Close()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	c.lock = file
	return nil
}

// initialise makes the cluster's files unless they exist.
func (c *Cluster) initialise(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(c.data(), "PG_VERSION")); err == nil {
		return nil
	}
	args := []string{"-D", c.data(), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"}
	if c.config.Volatile {
		args = append(args, "--no-sync")
	}
	command := exec.CommandContext(ctx, filepath.Join(c.config.Bin, "initdb"), args...)
	command.Dir = c.data()
	command.SysProcAttr = c.runAs.attributes()
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb in %s: %w\n%s", c.data(), err, out)
	}
	return nil
}

// checkVersion refuses data of another major version in words, before PostgreSQL does in its log.
func (c *Cluster) checkVersion() error {
	raw, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if err != nil {
		return fmt.Errorf("version of the data: %w", err)
	}
	out, err := exec.Command(filepath.Join(c.config.Bin, "postgres"), "--version").Output()
	if err != nil {
		return fmt.Errorf("version of PostgreSQL in %s: %w", c.config.Bin, err)
	}
	data, binary := strings.TrimSpace(string(raw)), majorVersion(string(out))
	if data != binary {
		return fmt.Errorf("the data in %s is of PostgreSQL %s, the binaries in %s are of version %s: "+
			"install postgresql-%s (or set PG_BIN to its bin folder), or move the data with pg_upgrade; nothing was changed",
			c.data(), data, c.config.Bin, binary, data)
	}
	return nil
}

// majorVersion reads "15" out of "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)".
func majorVersion(line string) string {
	_, version, _ := strings.Cut(line, "(PostgreSQL) ")
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		return version
	}
	return version[:end]
}

// findAccount chooses whom PostgreSQL runs as: the owner of existing data, else this user, or for root an unprivileged one.
func findAccount(data string) (account, error) {
	self := uint32(os.Geteuid())
	info, err := os.Stat(data)
	if err == nil {
		stat := info.Sys().(*syscall.Stat_t)
		if self == 0 && stat.Uid != 0 {
			return account{name: userName(stat.Uid), uid: stat.Uid, gid: stat.Gid, switched: true}, nil
		}
		if self != 0 && stat.Uid != self {
			return account{}, fmt.Errorf("%s belongs to the user %s: start Nightshift as that user or as root, or choose another folder with NIGHTSHIFT_DATA", data, userName(stat.Uid))
		}
	}
	if self != 0 {
		return account{name: userName(self), uid: self, gid: uint32(os.Getegid())}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return account{name: name, uid: uint32(uid), gid: uint32(gid), switched: true}, nil
		}
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as")
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// own makes the folder, closed to all but the account.
func (a account) own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if a.switched {
		if err := os.Chown(dir, int(a.uid), int(a.gid)); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	return nil
}

// mayEnter tells in words which folder above the data is closed to the account, where PostgreSQL would only say "permission denied".
func (a account) mayEnter(dir string) error {
	if !a.switched {
		return nil
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		mode := info.Mode().Perm()
		open := mode&0o001 != 0 || stat.Gid == a.gid && mode&0o010 != 0 || stat.Uid == a.uid && mode&0o100 != 0
		if !open {
			return fmt.Errorf("the folder %s (mode %04o) is closed to the user %s, as whom PostgreSQL runs: "+
				"choose another data folder with NIGHTSHIFT_DATA, or open it with chmod o+x", dir, mode, a.name)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// attributes start a child in a process group of its own, so that Ctrl-C reaches this process first and it can drain.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a.switched {
		attributes.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attributes
}

func isDuplicateDatabase(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P04" || pg.Code == "23505")
}
