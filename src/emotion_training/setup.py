from setuptools import find_packages, setup

package_name = 'emotion_training'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={package_name: ['*.j2']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=True,
    maintainer='emotion_ros maintainers',
    maintainer_email='maintainers@emotion-ros.org',
    description='Splits, training, calibration and export of the emotion models of emotion_ros.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
)
