"""An MPU-6050 or a relative of it, read over I2C without a kernel driver."""
