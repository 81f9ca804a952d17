package posix

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// Programs are coreutils, findutils, grep, sed, awk, diff, tar and gzip, each below /usr/bin.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		// files
		"cat": cmdCat, "head": cmdHead, "tail": cmdTail, "tee": cmdTee, "dd": cmdDd,
		"cp": cmdCp, "mv": cmdMv, "ln": cmdLn, "rm": cmdRm, "rmdir": cmdRmdir, "mkdir": cmdMkdir, "mktemp": cmdMktemp,
		"touch": cmdTouch, "truncate": cmdTruncate, "sync": cmdSync, "install": cmdInstall,
		"chmod": cmdChmod, "chown": cmdChown, "chgrp": cmdChown, "stat": cmdStat, "ls": cmdLs,
		"readlink": cmdReadlink, "realpath": cmdRealpath, "basename": cmdBasename, "dirname": cmdDirname,
		"df": cmdDf, "du": cmdDu, "find": cmdFind, "xargs": cmdXargs, "cmp": cmdCmp, "diff": cmdDiff,

		// text
		"grep": cmdGrep, "egrep": cmdGrep, "fgrep": cmdGrep, "sed": cmdSed, "mawk": cmdAwk, "sort": cmdSort,
		"uniq": cmdUniq, "cut": cmdCut, "tr": cmdTr, "wc": cmdWc, "tac": cmdTac, "paste": cmdPaste, "seq": cmdSeq,
		"expr": cmdExpr, "date": cmdDate,

		// archives and digests
		"tar": cmdTar, "gzip": cmdGzip, "gunzip": cmdGzip, "zcat": cmdGzip, "base64": cmdBase64, "od": cmdOd,
		"md5sum": sumCommand(md5.New), "sha1sum": sumCommand(sha1.New), "sha256sum": sumCommand(sha256.New),
		"sha512sum": sumCommand(sha512.New),
	}
}
