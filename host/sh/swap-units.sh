# Prints what systemd knows of the swap units that it has loaded: those of fstab and of unit files, and those that
# generators made for partitions and for zram.
systemctl show -p Id,LoadState,UnitFileState,FragmentPath,SourcePath,WantedBy,RequiredBy -- '*.swap'
