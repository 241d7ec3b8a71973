"""The signed evidence bundle: ASiC-E container that is a BagIt bag once unzipped."""
