# Prints the sockets that listen on ports of the machine, each after its protocol: state 0A is a TCP socket that listens,
# 07 a UDP socket without a peer (proc_net_tcp.txt of the kernel).
cd /proc/net || exit 0
grep -s -H -E '^ *[0-9]+: [0-9A-F]+:[0-9A-F]{4} 0+:0000 (0A|07) ' tcp tcp6 udp udp6 || :
