"""Stand-ins for the AWS AI services that the local emulator lacks, on one loopback port.

They speak the services' wire protocols, do the work with small local models, and say only what those
models say. ``docs/stand-ins.md`` lists what each one plays and cannot do.
"""
