package hosttest

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// coreTools are the file tools of GNU coreutils.
func coreTools() map[string]kernel.Program {
	return map[string]kernel.Program{
		"cat": cmdCat, "head": cmdHead, "tail": cmdTail, "tee": cmdTee, "dd": cmdDd,
		"cp": cmdCp, "mv": cmdMv, "ln": cmdLn, "rm": cmdRm, "rmdir": cmdRmdir,
		"mkdir": cmdMkdir, "mktemp": cmdMktemp, "touch": cmdTouch, "chmod": cmdChmod,
		"chown": cmdChown, "chgrp": cmdChown, "stat": cmdStat, "readlink": cmdReadlink,
		"realpath": cmdRealpath, "ls": cmdLs, "truncate": cmdTruncate, "sync": cmdSync,
		"install": cmdInstall, "basename": cmdBasename, "dirname": cmdDirname, "cmp": cmdCmp,
	}
}
