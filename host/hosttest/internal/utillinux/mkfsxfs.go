package utillinux

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const mkfsXFSUsage = `Usage: mkfs.xfs
/* blocksize */		[-b size=num]
/* config file */	[-c options=xxx]
/* metadata */		[-m crc=0|1,finobt=0|1,uuid=xxx,rmapbt=0|1,reflink=0|1,
			    inobtcount=0|1,bigtime=0|1]
/* data subvol */	[-d agcount=n,agsize=n,file,name=xxx,size=num,
			    (sunit=value,swidth=value|su=num,sw=num|noalign),
			    sectsize=num
/* force overwrite */	[-f]
/* inode size */	[-i perblock=n|size=num,maxpct=n,attr=0|1|2,
			    projid32bit=0|1,sparse=0|1,nrext64=0|1]
/* no discard */	[-K]
/* log subvol */	[-l agnum=n,internal,size=num,logdev=xxx,version=n
			    sunit=value|su=num,sectsize=num,lazy-count=0|1]
/* label */		[-L label (maximum 12 characters)]
/* naming */		[-n size=num,version=2|ci,ftype=0|1]
/* no-op info only */	[-N]
/* prototype file */	[-p fname]
/* quiet */		[-q]
/* realtime subvol */	[-r extsize=num,size=num,rtdev=xxx]
/* sectorsize */	[-s size=num]
/* version */		[-V]
			devicename
<devicename> is required unless -d name=xxx is given.
<num> is xxx (bytes), xxxs (sectors), xxxb (fs blocks), xxxk (xxx KiB),
      xxxm (xxx MiB), xxxg (xxx GiB), xxxt (xxx TiB) or xxxp (xxx PiB).
<value> is xxx (512 byte blocks).
`

func cmdMkfsXFS(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "b:c:d:i:l:L:m:n:KNp:qr:s:CfV", "")
	usage := func(format string, a ...any) int {
		p.Warnf(format+"%s", append(a, mkfsXFSUsage)...)
		return 1
	}
	switch {
	case !ok:
		return usage("")
	case len(o.Args) > 1:
		return usage("extra arguments\n")
	case len(o.Args) == 0:
		return usage("no device name given in argument list\n")
	}
	label, name := o.Get("L"), o.Args[0]
	if len(label) > 12 {
		return usage("Invalid value %s for -L option\n", label)
	}
	uuid := kernel.NewUUID()
	for _, m := range o.All("m") {
		for kv := range strings.SplitSeq(m, ",") {
			if v, ok := strings.CutPrefix(kv, "uuid="); ok {
				if !isUUID(v) {
					return usage("Invalid value %s for -m uuid option\n", v)
				}
				uuid = strings.ToLower(v)
			}
		}
	}
	if err := p.Access(name, kernel.MayRead|kernel.MayWrite); err != nil {
		return usage("Error accessing specified device %s: %s\n", name, kernel.Strerror(err))
	}
	dev := device(p, name)
	if dev == nil {
		p.Errorf("hosttest: this machine makes file systems only on block devices")
		return 1
	}
	if inUse(p.Kernel, dev) != "" {
		return usage("mkfs.xfs: %s contains a mounted filesystem\n", name)
	}
	if !o.Has("f") {
		if found := signatures(dev); len(found) > 0 {
			s, what := found[0], "an existing filesystem"
			if s.usage == "" {
				what = "a partition table"
			}
			p.Warnf("mkfs.xfs: %s appears to contain %s (%s).\nmkfs.xfs: Use the -f option to force overwrite.\n", name,
				what, s.kind)
			return 1
		}
	}
	if dev.Size < 300<<20 {
		return usage("Filesystem must be larger than 300MB.\n")
	}
	if !o.Has("N") {
		if err := makeFS(p, dev, "xfs", label, uuid); err != nil {
			p.Warnf("mkfs.xfs: pwrite failed: %s\n", kernel.Strerror(err))
			return 1
		}
	}
	if !o.Has("q") {
		blocks := dev.Size / 4096
		p.Printf("meta-data=%-22s isize=512    agcount=4, agsize=%d blks\n"+
			"         =                       sectsz=512   attr=2, projid32bit=1\n"+
			"         =                       crc=1        finobt=1, sparse=1, rmapbt=0\n"+
			"         =                       reflink=1    bigtime=1 inobtcount=1 nrext64=0\n"+
			"data     =                       bsize=4096   blocks=%d, imaxpct=25\n"+
			"         =                       sunit=0      swidth=0 blks\n"+
			"naming   =version 2              bsize=4096   ascii-ci=0, ftype=1\n"+
			"log      =internal log           bsize=4096   blocks=16384, version=2\n"+
			"         =                       sectsz=512   sunit=0 blks, lazy-count=1\n"+
			"realtime =none                   extsz=4096   blocks=0, rtextents=0\n", name, (blocks+3)/4, blocks)
	}
	return 0
}
