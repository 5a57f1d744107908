"""An MPU-6050 or a relative, read over I2C without a kernel driver."""
