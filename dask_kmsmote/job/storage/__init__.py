"""Tables on local disks and object stores: read in partitions, written whole or not at all."""
