//go:build !linux

package db

import "syscall"

// dieWithParent has no counterpart outside Linux: the next start finds the server and replaces it.
func dieWithParent(attributes *syscall.SysProcAttr) *syscall.SysProcAttr { return attributes }

// worksIn trusts postmaster.pid, because only Linux tells the folder of a process.
func worksIn(int, string) bool { return true }
