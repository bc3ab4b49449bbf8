package db

import (
	"os"
	"strconv"
	"syscall"
)

// dieWithParent has the kernel send the child a fast shutdown when this process dies, even by kill -9.
func dieWithParent(attributes *syscall.SysProcAttr) *syscall.SysProcAttr {
	attributes.Pdeathsig = syscall.SIGINT
	return attributes
}

// worksIn reports whether the process has the folder as its working directory, which a postmaster does with its data.
func worksIn(pid int, dir string) bool {
	cwd, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	return err == nil && cwd == dir
}
