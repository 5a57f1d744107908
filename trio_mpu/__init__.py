"""From an MPU-6050 to every browser and program on the network."""
